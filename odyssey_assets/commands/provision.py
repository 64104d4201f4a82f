"""``odyssey provision``.

Belongs here: its options and its end. Does not belong here: statements, roles and passwords (the package
``provision``).
"""

from contextlib import ExitStack
from pathlib import Path

import click

from odyssey_assets.commands.reporting import print_json, reporting
from odyssey_assets.configuration import ENV_ADMIN, postgres_url_from
from odyssey_assets.errors import EXIT_DONE, ConfigurationError


@click.command()
@click.option("--admin-url", metavar="URL", help=f"A role that may make databases and roles; else {ENV_ADMIN}.")
@click.option("--database", default="odyssey", show_default=True)
@click.option("--schema", default="public", show_default=True, help="Where the application's tables are.")
@click.option("--role-prefix", default="", metavar="NAME", help="Roles are NAME_owner and so on; else the database's.")
@click.option("--app", "with_application", is_flag=True, help="Also a role for the application itself.")
@click.option(
    "--password-file",
    "password_files",
    multiple=True,
    metavar="DUTY=FILE",
    help="Take a password from a file instead of making one; DUTY is owner, sync, verify or app. Repeatable.",
)
@click.option("--new-passwords", is_flag=True, help="Change the passwords of roles that are there already, too.")
@click.option("--write-env", type=click.Path(path_type=Path, dir_okay=False), help="Write URLs to this file, not here.")
@click.option("--print", "only_prints", is_flag=True, help="Show the SQL and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def provision(
    admin_url: str | None,
    database: str,
    schema: str,
    role_prefix: str,
    with_application: bool,
    password_files: tuple[str, ...],
    new_passwords: bool,
    write_env: Path | None,
    only_prints: bool,
    as_json: bool,
    debug: bool,
) -> int:
    """Make the database, its roles and their rights, and tell the roles' URLs once. Run again, it changes nothing."""
    from odyssey_assets.provision import telling
    from odyssey_assets.provision.apply import Provisioned, provision
    from odyssey_assets.provision.passwords import passwords_from_files
    from odyssey_assets.provision.roles import plan_for

    plan = plan_for(database, schema, role_prefix, with_application=with_application)
    if only_prints:
        click.echo(telling.script(plan))
        return EXIT_DONE
    given = passwords_from_files(password_files)
    admin = admin_url or postgres_url_from(ENV_ADMIN)
    if not admin:
        raise ConfigurationError("No administrator was named.", hint=f"Give --admin-url or set {ENV_ADMIN}.")
    file = telling.EnvFile(write_env) if write_env else None

    def keep(provisioned: Provisioned) -> None:
        if file and provisioned.passwords:
            file.prepare(telling.env_lines(provisioned, admin))

    with ExitStack() as cleanup:
        if file:
            cleanup.callback(file.discard)
        done = provision(admin, plan, given, renews_passwords=new_passwords, before_commit=keep)
        if file:
            file.keep()
    for line in done.done:
        click.echo(line, err=True)
    if not done.done:
        click.echo("Everything is there already; nothing was changed.", err=True)
    if as_json:
        print_json(telling.document(done, admin, shows_urls=file is None))
    elif file is None:
        click.echo(telling.env_lines(done, admin), nl=False)
    if file and done.passwords:
        click.echo(f"The URLs are in {file.path}.", err=True)
    return EXIT_DONE
