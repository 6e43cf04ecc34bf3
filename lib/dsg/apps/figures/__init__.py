"""The paper's figures for any network and data set."""
