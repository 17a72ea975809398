import sys

from domicile_metadata.main import main

sys.exit(main())
