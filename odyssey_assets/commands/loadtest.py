import click
@click.command()
def loadtest():
    pass
