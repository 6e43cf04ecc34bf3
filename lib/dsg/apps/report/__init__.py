"""The report of a run, `report.txt` and `report.html`, made of the files in its folder alone."""
