"""Speed measurements, and the sizes that a run chooses by them."""
