from domicile_client.cli.main import main

main()
