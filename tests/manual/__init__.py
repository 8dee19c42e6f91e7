"""The commands of the manual, run as its pages print them."""
