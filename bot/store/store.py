"""The store as one value: the database and one object per aggregate."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store.crypto import Seal
from bot.store.database import Database
from bot.store.everything import Everything
from bot.store.facts import Facts
from bot.store.jobs import Jobs
from bot.store.links import Links
from bot.store.listeners import Listeners
from bot.store.listens import Listens
from bot.store.messages import Messages
from bot.store.pairs import Pairs
from bot.store.ratings import Ratings
from bot.store.servers import Servers
from bot.store.statements import Statements
from bot.store.tastes import Tastes
from bot.store.tracks import Tracks


@dataclass(frozen=True, slots=True)
class Store:
    database: Database
    seal: Seal
    listeners: Listeners
    listens: Listens
    jobs: Jobs
    tracks: Tracks
    ratings: Ratings
    messages: Messages
    facts: Facts
    links: Links
    statements: Statements
    tastes: Tastes
    servers: Servers
    pairs: Pairs
    everything: Everything

    @staticmethod
    def over(database: Database, seal: Seal) -> Store:
        listeners = Listeners(database)
        return Store(
            database=database,
            seal=seal,
            listeners=listeners,
            listens=Listens(database, listeners),
            jobs=Jobs(database),
            tracks=Tracks(database),
            ratings=Ratings(database, listeners),
            messages=Messages(database),
            facts=Facts(database),
            links=Links(database, listeners, seal),
            statements=Statements(database, listeners),
            tastes=Tastes(database, listeners),
            servers=Servers(database),
            pairs=Pairs(database, listeners),
            everything=Everything(database),
        )
