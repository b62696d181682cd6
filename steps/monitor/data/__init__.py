"""Files in, histograms per column and drawn rows out."""
