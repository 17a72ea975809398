import sys

from domicile_discovery.main import main

sys.exit(main())
