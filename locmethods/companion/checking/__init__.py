"""How a claim is checked, shown, listed and put to the test of sabotage."""
