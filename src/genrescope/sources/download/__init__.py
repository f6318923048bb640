"""Downloading public data sets.

dataset.py runs the whole, fetch.py brings one file, archive.py unpacks it, record.py knows what was unpacked.
"""
