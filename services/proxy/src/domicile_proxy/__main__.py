import sys

from domicile_proxy.main import main

sys.exit(main())
