import click
@click.command()
def watch():
    pass
