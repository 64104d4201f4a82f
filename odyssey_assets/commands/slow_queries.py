import click
@click.command()
def slow_queries():
    pass
