import sys

from domicile_replicator.main import main

sys.exit(main())
