"""`python -m locmethods.companion`: run chapters, freeze them, try one with other parameters."""

from locmethods.companion.build.run import main

if __name__ == "__main__":
    main()
