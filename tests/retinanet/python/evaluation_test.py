"""COCO's metrics of arrays."""

import unittest

import numpy as np

import diopter


def case():
    return dict(
        image_ids=[1, 1, 2],
        category_ids=[3, 4, 3],
        boxes=[[0, 0, 10, 10], [20, 20, 50, 50], [5, 5, 40, 40]],
        found_image_ids=[1, 1, 2],
        found_category_ids=[3, 4, 3],
        found_boxes=[[0, 0, 10, 10], [20, 20, 50, 50], [5, 5, 40, 40]],
        scores=[0.9, 0.8, 0.7],
    )


class CocoMetrics(unittest.TestCase):
    def test_perfect_detections(self):
        numbers = diopter.coco_metrics(**case())
        self.assertEqual(list(numbers)[:3], ["AP", "AP50", "AP75"])
        self.assertEqual(numbers["APl"], -1)
        for name in ("AP", "APs", "APm"):
            self.assertAlmostEqual(numbers[name], 1, places=12)

    def test_a_box_that_is_off_counts_at_low_overlap(self):
        arrays = case()
        arrays["found_boxes"][1] = [20, 20, 50, 35]  # IoU 0.7
        numbers = diopter.coco_metrics(**arrays)
        self.assertAlmostEqual(numbers["AP50"], 1, places=12)
        self.assertAlmostEqual(numbers["AP75"], 0.5, places=12)
        self.assertAlmostEqual(numbers["AP"], (1 + 0.5) / 2, places=12)  # of class 4, 5 of 10 thresholds

    def test_crowds_areas_and_pictures(self):
        crowd = diopter.coco_metrics(**case(), crowds=[False, True, False])
        self.assertAlmostEqual(crowd["APm"], 1, places=12)
        large = diopter.coco_metrics(**case(), areas=np.full(3, 20000.0))
        self.assertEqual(large["APs"], -1)
        self.assertAlmostEqual(large["APl"], 1, places=12)
        with self.assertRaisesRegex(ValueError, "image_ids: 2 of object 2 is not in images"):
            diopter.coco_metrics(**case(), images=[1])

    def test_of_nothing(self):
        nothing = {name: [] for name in case()}
        self.assertEqual(set(diopter.coco_metrics(**nothing).values()), {-1.0})

    def test_what_is_refused(self):
        arrays = case()
        arrays["scores"] = [0.5]
        with self.assertRaisesRegex(ValueError, r"scores: is float64 \[1\], must be float64 \[3\]"):
            diopter.coco_metrics(**arrays)


if __name__ == "__main__":
    unittest.main()
