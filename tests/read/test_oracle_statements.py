"""Statements that return rows, one after the other, next to the ORM session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import (
    Integer,
    String,
    and_,
    between,
    bindparam,
    case,
    cast,
    column,
    delete,
    desc,
    distinct,
    except_,
    exists,
    extract,
    false,
    func,
    insert,
    intersect,
    lambda_stmt,
    lateral,
    literal,
    literal_column,
    null,
    nulls_last,
    or_,
    select,
    table,
    text,
    true,
    tuple_,
    type_coerce,
    union,
    union_all,
    update,
    values,
)
from sqlalchemy.orm import (
    Bundle,
    aliased,
    defaultload,
    defer,
    lazyload,
    load_only,
    raiseload,
    undefer,
    undefer_group,
    with_polymorphic,
)

from ..models.behaviour import Reconstructed, Rich
from ..models.blog import Comment, Hub, Node, Post, Profile, Spoke, Tag, User, post_tags
from ..models.columns import (
    DeferredKey,
    Doubled,
    Invoice,
    Pair,
    PairChild,
    Renamed,
    Segment,
)
from ..models.inheritance import (
    Animal,
    Cat,
    Director,
    Dog,
    Engineer,
    Firm,
    House,
    Manager,
    Person,
    Shape,
    SubThing,
    Thing,
    Truck,
    Vehicle,
    Vessel,
)
from ..models.styles import DataChild, DataParent, Imperative
from ..models.types import Keyed, Mutables, Sample, Upper
from ..oracle import Oracle

SQLALCHEMY_21 = sqlalchemy.__version__.startswith("2.1")
SQLALCHEMY_20_FIRST = sqlalchemy.__version__ == "2.0.40"

U2 = aliased(User, name="u2")
subordinate = aliased(User)
recent = select(Post).where(Post.stars > 0).subquery("recent")
RecentPost = aliased(Post, recent)
user_cte = select(User).where(User.id < 4).cte("few")
FewUser = aliased(User, user_cte)
post_count = (
    select(func.count(Post.id)).where(Post.author_id == User.id).correlate(User).scalar_subquery()
)
AnyPerson = with_polymorphic(Person, "*")
SomePerson = with_polymorphic(Person, [Engineer, Manager], flat=True)


class NameBundle(Bundle[Any]):
    """A bundle that makes something of its own of each row."""

    def create_row_processor(self, query: Any, procs: Any, labels: Any) -> Any:
        def process(row: Any) -> dict[str, Any]:
            return dict(zip(labels, (proc(row) for proc in procs), strict=True))

        return process


Make = Callable[[], Any]

ENTITIES: dict[str, Make] = {
    "one": lambda: select(User),
    "two": lambda: select(User, Post).join(Post, Post.author_id == User.id),
    "two tables, cartesian": lambda: select(User, Tag).join(Tag, true()).order_by(User.id, Tag.id),
    "the same twice": lambda: select(User, User),
    "the same and its column": lambda: select(User, User.id),
    "column before entity": lambda: select(User.id, User),
    "entity between columns": lambda: select(User.name, User, User.id, Post.title).join(User.posts),
    "table and entity": lambda: select(User.__table__, User),
    "entity and table column": lambda: select(User, User.__table__.c.name),
    "entity and alias": lambda: select(User, U2).join(U2, User.boss_id == U2.id),
    "alias alone": lambda: select(U2).where(U2.age.is_not(None)),
    "anonymous alias": lambda: select(subordinate, User).join(User.staff.of_type(subordinate)),
    "outer join": lambda: select(User, Post).outerjoin(User.posts),
    "outer join on the left": lambda: select(Post, User).join(Post.author, isouter=True),
    "full join": lambda: select(User, Post).join(User.posts, full=True),
    "two outer joins": lambda: (
        select(User, Post, Comment).outerjoin(User.posts).outerjoin(Post.comments)
    ),
    "many to many": lambda: select(Post, Tag).join(Post.tags),
    "many to many, outer": lambda: select(Post, Tag, post_tags.c.weight).outerjoin(Post.tags),
    "one to one": lambda: select(User, Profile).outerjoin(User.profile),
    "self outer join": lambda: select(User, U2.name, U2).outerjoin(U2, User.boss),
    "self join, three levels": lambda: (
        select(Node, (n2 := aliased(Node)), (n3 := aliased(Node)))
        .outerjoin(Node.parent.of_type(n2))
        .outerjoin(n2.parent.of_type(n3))
        .options(lazyload("*"))
    ),
    "alias over subquery": lambda: select(RecentPost, User).join(
        User, RecentPost.author_id == User.id
    ),
    "alias over CTE": lambda: select(FewUser, FewUser.name),
    "entity from subquery": lambda: select(User).join(recent, recent.c.author_id == User.id),
    "subquery columns": lambda: select(recent, User).join(User, recent.c.author_id == User.id),
    "subquery star and column": lambda: select(recent.c.id, recent.c.title),
    "CTE columns": lambda: select(user_cte).order_by(user_cte.c.id),
    "recursive CTE": lambda: (
        select(aliased(Node, tree := _tree()), tree.c.depth)
        .order_by(tree.c.id)
        .options(lazyload("*"))
    ),
    "adapt on names": lambda: select(
        aliased(User, select(User.id, User.name).subquery(), adapt_on_names=True)
    ),
    "select_from": lambda: select(Post).select_from(User).join(User.posts),
    "join_from": lambda: select(User, Post).join_from(User, Post),
    "join to a table": lambda: select(User).join(Post.__table__),
    "where relationship": lambda: select(Post).where(Post.author.has(User.name == "ann")),
    "where any": lambda: select(User).where(User.posts.any(Post.stars > 3)),
    "in subquery": lambda: select(User).where(User.id.in_(select(Post.author_id))),
    "in list": lambda: select(User).where(User.id.in_([1, 3, 99])),
    "in empty list": lambda: select(User).where(User.id.in_([])),
    "tuple in": lambda: select(Pair).where(tuple_(Pair.left, Pair.right).in_([(1, "a"), (0, "")])),
    "distinct": lambda: select(Post.title).distinct().order_by(Post.title),
    "distinct entities": lambda: select(User).distinct().join(Post, true()),
    "group by": lambda: select(User, func.count(Post.id)).outerjoin(User.posts).group_by(User.id),
    "order by label": lambda: select(User.name.label("n"), User).order_by(desc("n")),
    "order by nulls last": lambda: select(User).order_by(nulls_last(User.age.asc()), User.id),
    "limit offset": lambda: select(User).order_by(User.id).limit(2).offset(1),
    "slice": lambda: select(User).order_by(User.id).slice(1, 3),
    "fetch": lambda: select(User).order_by(User.id).limit(literal(2)),
    "with_only_columns": lambda: (
        select(User, Post).join(User.posts).with_only_columns(Post, User.id)
    ),
    "add_columns": lambda: select(User).add_columns(User.id, func.lower(User.name)),
    "filter_by": lambda: select(User).filter_by(name="ann"),
    "execution options": lambda: select(User).execution_options(something="else"),
    "populate_existing": lambda: select(User).execution_options(populate_existing=True),
    "label like an entity": lambda: select(User, User.name.label("User")),
    "label like an attribute": lambda: select(User, literal(1).label("name"), User.name),
    "labels like methods": lambda: select(
        User.id.label("count"), User.name.label("index"), User.age.label("_fields"), User
    ),
    "alias like a class": lambda: select(User, Post, aliased(Tag, name="Post")).where(true()),
    "options, then other columns": lambda: (
        select(User).options(load_only(User.name)).with_only_columns(User.name, User)
    ),
    "prefix and hint": lambda: select(User).prefix_with("ALL").with_statement_hint("x", "nope"),
    "nobody": lambda: select(User).where(false()),
    "nobody, two": lambda: select(User, Post.id).join(User.posts).where(false()),
    "partial composite key": lambda: select(PairChild, Pair).outerjoin(PairChild.pair),
    "composite key join": lambda: select(Pair, PairChild).outerjoin(
        PairChild, and_(PairChild.pair_left == Pair.left, PairChild.pair_right == Pair.right)
    ),
    "typed key, outer": lambda: select(User, Keyed).outerjoin(Keyed, Keyed.name == User.name),
    "all types": lambda: select(Sample),
    "all types, outer": lambda: select(User.id, Sample).outerjoin(Sample, Sample.id == User.id - 1),
    "mutables, outer": lambda: select(User.id, Mutables).outerjoin(
        Mutables, Mutables.id == User.id
    ),
    "composites, outer": lambda: select(User.id, Segment).outerjoin(Segment, Segment.id == User.id),
    "dataclasses, outer": lambda: select(DataParent, DataChild).outerjoin(DataParent.children),
    "imperative, outer": lambda: select(User.id, Imperative).outerjoin(
        Imperative, Imperative.id == User.id
    ),
    "reconstructed": lambda: select(Reconstructed, Rich).join(Rich, Rich.id == Reconstructed.id),
    "version counter": lambda: select(User.id, Hub.name).join(Hub, Hub.owner_id == User.id),
    "literal entity mix": lambda: select(
        literal("a"), User, null(), literal_column("7").label("seven"), literal(b"x")
    ),
    "three aliases": lambda: select(*(aliased(Tag, name=f"t{n}") for n in range(3))).where(true()),
}


def _tree() -> Any:
    top = (
        select(Node, literal(0).label("depth")).where(Node.parent_id.is_(None)).cte(recursive=True)
    )
    return top.union_all(select(Node, top.c.depth + 1).join(top, Node.parent_id == top.c.id))


COLUMNS: dict[str, Make] = {
    "one": lambda: select(User.name),
    "several": lambda: select(User.id, User.name, Post.title).join(User.posts),
    "label": lambda: select(User.name.label("who"), (User.id + 1).label("next")),
    "no label": lambda: select(User.id + 1, func.upper(User.name), -User.id),
    "the same twice": lambda: select(User.id, User.id),
    "the same three times": lambda: select(User.id, User.id, User.id, User.name),
    "same name of two tables": lambda: select(User.id, Post.id).join(User.posts),
    "same label twice": lambda: select(User.id.label("x"), User.name.label("x")),
    "renamed": lambda: select(Renamed.key, Renamed.a, Renamed.b, Renamed.klass, Renamed.percent),
    "renamed table columns": lambda: select(*Renamed.__table__.c),
    "renamed and labelled": lambda: select(Renamed.a.label("b"), Renamed.b.label("a")),
    "of an alias": lambda: select(U2.id, U2.name),
    "composite": lambda: select(Segment.id, Segment.start),
    "composite alone": lambda: select(Segment.start),
    "composite, three": lambda: select(Segment.start, Segment.end, Segment.range, Segment.id),
    "composite of an alias": lambda: select(aliased(Segment).end),
    "composite and its entity": lambda: select(Segment.start, Segment),
    "composite, missed": lambda: select(User.id, Segment.start).outerjoin(
        Segment, Segment.id == User.id
    ),
    "synonym": lambda: select(Invoice.tax, Invoice.both),
    "hybrid": lambda: select(Invoice.double, Invoice.size),
    "hybrid method": lambda: select(Invoice.above(150), Invoice.above(1).label("above")),
    "hybrid of an alias": lambda: select((i := aliased(Invoice)).double, i.size),
    "column property": lambda: select(Invoice.gross, Invoice.line_count, Invoice.late_gross),
    "column property of an alias": lambda: select((i := aliased(Invoice)).gross, i.line_count),
    "query expression": lambda: select(Invoice.extra, Invoice.id),
    "deferred columns": lambda: select(Invoice.memo, Invoice.scan, Invoice.scan_name),
    "column under two names": lambda: select(Doubled.name, Doubled.again),
    "relationship, to one": lambda: select(Post.author),
    "relationship, to many": lambda: select(User.posts),
    "relationship and join": lambda: select(User.id, User.posts).join(User.posts),
    "typed columns": lambda: select(
        Sample.money, Sample.colour, Sample.never_null, Sample.upper, Sample.uid, Sample.level
    ),
    "typed columns, missed": lambda: select(
        User.id, Sample.money, Sample.never_null, Sample.json
    ).outerjoin(Sample, Sample.id == User.id),
    "typed expressions": lambda: select(
        func.max(Sample.moment), func.coalesce(Sample.date, dt.date(2000, 1, 1))
    ).group_by(Sample.date),
    "json element": lambda: select(Sample.id, Sample.json["a"].as_string()),
    "json null": lambda: select(Sample.json, Sample.json_sql_null),
    "type_coerce": lambda: select(type_coerce(Sample.text, Upper), type_coerce(User.name, String)),
    "cast": lambda: select(cast(User.id, String), cast(User.name, String(2)).label("short")),
    "case": lambda: select(case((User.age > 30, "old"), else_=None), case({1: "a"}, value=User.id)),
    "scalar subquery": lambda: select(User, post_count.label("posts"), post_count),
    "exists": lambda: select(exists().where(Post.author_id == User.id), User.id),
    "select exists": lambda: select(select(User).where(User.id == 1).exists()),
    "exists of entity": lambda: select(exists(User.id)),
    "count": lambda: select(func.count()).select_from(User),
    "count column": lambda: select(func.count(User.id), func.count(distinct(User.age))),
    "count nothing": lambda: select(func.count(User.id)).where(false()),
    "functions": lambda: select(func.min(User.name), func.max(User.age), func.sum(User.id)),
    "window": lambda: select(User.id, func.row_number().over(order_by=User.id.desc())),
    "filter": lambda: select(func.count(User.id).filter(User.age > 30)),
    "extract": lambda: select(extract("year", Post.written)).order_by(Post.id),
    "literal": lambda: select(literal(1)),
    "literals": lambda: select(literal(1), literal("x"), literal(None), null(), true(), false()),
    "literal_column": lambda: select(literal_column("1 + 1"), literal_column("'x'", String)),
    "text column": lambda: select(text("1 AS one"), text("'b'")),
    "text among entities": lambda: select(User, text("7")),
    "text among columns": lambda: select(User.id, text("name AS who")),
    "bind": lambda: select(User.id, bindparam("x", 5, type_=Integer)),
    "between": lambda: select(User.id).where(between(User.id, 2, 3)),
    "or": lambda: select(User.id).where(or_(User.id == 1, User.name == "bob")),
    "having": lambda: (
        select(Post.title, func.count()).group_by(Post.title).having(func.count() > 1)
    ),
    "table": lambda: select(User.__table__),
    "table without a model": lambda: select(post_tags),
    "table columns": lambda: select(post_tags.c.post_id, User.__table__.c.name).join_from(
        post_tags, User.__table__, true()
    ),
    "table alias": lambda: select((t := User.__table__.alias()), t.c.id),
    "lightweight table": lambda: select(table("users", column("id"), column("name", String))),
    "lightweight star": lambda: select(text("*")).select_from(table("tags")),
    "star column": lambda: select(literal_column("*")).select_from(table("tags")),
    "values": lambda: select(_values()),
    "values and entity": lambda: select(User, (v := _values()).c.word).join(v, v.c.num == User.id),
    "lambda": lambda: lambda_stmt(lambda: select(User, User.id).where(User.id == 1)),
    "bundle": lambda: select(Bundle("b", User.id, User.name)),
    "bundle and others": lambda: select(User, Bundle("b", User.id, User.name), Post.id).join(
        User.posts
    ),
    "two bundles": lambda: select(
        Bundle("b", User.id, User.name), Bundle("c", Post.id, Post.title.label("t"))
    ).join(User.posts),
    "nested bundle": lambda: select(
        Bundle("out", User.id, Bundle("in", User.name, Bundle("deep", User.age)), User.nickname)
    ),
    "bundle with composite": lambda: select(Bundle("b", Segment.id, Segment.start)),
    "bundle with function": lambda: select(Bundle("b", func.lower(User.name), literal(1))),
    "bundle, single entity": lambda: select(Bundle("b", User.id, single_entity=True)),
    "bundle, own rows": lambda: select(NameBundle("b", User.id, User.name)),
    "bundle, missed": lambda: select(User.id, Bundle("b", Post.id, Post.title)).outerjoin(
        User.posts
    ),
    "bundle with typed columns": lambda: select(Bundle("b", Sample.money, Sample.uid, Sample.json)),
    "bundle of an alias": lambda: select(Bundle("b", U2.id, U2.name)),
}


def _values() -> Any:
    return values(column("num", Integer), column("word", String), name="v").data(
        [(1, "one"), (2, "two")]
    )


COMPOUNDS: dict[str, Make] = {
    "union of columns": lambda: union(select(User.name), select(Tag.label)),
    "union all": lambda: union_all(select(User.id, User.name), select(Tag.id, Tag.label)),
    "union of entities": lambda: union(select(Tag), select(Tag)),
    "union of entities and column": lambda: union_all(
        select(Tag, literal(1).label("n")), select(Tag, literal(2))
    ),
    "intersect": lambda: intersect(select(User.id), select(Post.author_id)),
    "except": lambda: except_(select(User.id), select(Post.author_id)),
    "typed union": lambda: union(
        select(Sample.money, Sample.uid), select(Sample.money, Sample.uid)
    ),
    "from subquery of a union": lambda: select(
        (t := aliased(Tag, union_all(select(Tag), select(Tag)).subquery())), t.id
    ),
    "from_statement of a union": lambda: select(Tag).from_statement(
        union_all(select(Tag).where(Tag.id == 1), select(Tag).where(Tag.id == 2))
    ),
    "from_statement of a select of columns": lambda: select(User).from_statement(
        select(User.id, User.name)
    ),
    "from_statement of text": lambda: select(User).from_statement(
        text("SELECT id, name, nickname, age, boss_id FROM users")
    ),
    "from_statement of text, other order": lambda: select(User).from_statement(
        text("SELECT age, boss_id, id, 'extra' AS more, nickname, name FROM users")
    ),
    "from_statement of text, too few": lambda: select(User).from_statement(
        text("SELECT id, name FROM users")
    ),
    "from_statement of text, no key": lambda: select(User).from_statement(
        text("SELECT name FROM users")
    ),
    "from_statement of text, labels": lambda: select(User, Post).from_statement(
        text(
            "SELECT users.id AS users_id, users.name AS users_name, posts.id AS posts_id,"
            " posts.title AS posts_title FROM users JOIN posts ON posts.author_id = users.id"
        )
    ),
    "from_statement of text, positional": lambda: select(User, Post).from_statement(
        text(
            "SELECT users.id, users.name, posts.id, posts.title FROM users"
            " JOIN posts ON posts.author_id = users.id"
        ).columns(User.id, User.name, Post.id, Post.title)
    ),
    "from_statement of text with columns": lambda: select(User).from_statement(
        text("SELECT id AS a, name AS b FROM users").columns(User.id, User.name)
    ),
    "from_statement, NULL keys": lambda: select(User).from_statement(
        text("SELECT NULL AS id, 'x' AS name, NULL AS nickname, 1 AS age, NULL AS boss_id")
    ),
    "from_statement of columns": lambda: select(User.id, User.name).from_statement(
        text("SELECT id, name FROM users")
    ),
    "from_statement of renamed": lambda: select(Renamed).from_statement(select(Renamed.__table__)),
    "from_statement with load_only": lambda: (
        select(User)
        .from_statement(text("SELECT id, name FROM users"))
        .options(load_only(User.name))
    ),
    "from_statement of two entities": lambda: select(User, Post).from_statement(
        select(User, Post).join(User.posts)
    ),
    "from_statement, partial composite key": lambda: select(Pair).from_statement(
        text('SELECT 1 AS "left", NULL AS "right", \'v\' AS value')
    ),
    "from_statement of a delete": lambda: select(Tag).from_statement(
        delete(Tag).where(Tag.id == 3).returning(Tag)
    ),
    "from_statement of an insert": lambda: select(Tag).from_statement(
        insert(Tag).values(id=77, label="new").returning(Tag)
    ),
    "from_statement of an update": lambda: select(Tag).from_statement(
        update(Tag).where(Tag.id < 3).values(label=Tag.label + "!").returning(Tag)
    ),
    "text": lambda: text("SELECT id, name FROM users"),
    "text with types": lambda: text("SELECT id, name FROM users").columns(id=Integer, name=String),
    "text with model columns": lambda: text("SELECT id, money FROM samples").columns(
        Sample.id, Sample.money
    ),
    "text, names twice": lambda: text("SELECT id, id, name FROM users"),
    "text subquery": lambda: select(
        aliased(User, text("SELECT * FROM users").columns(*User.__table__.c).subquery())
    ),
    "values alone": lambda: select(_values().c.word),
}

POLYMORPHIC: dict[str, Make] = {
    "joined base": lambda: select(Person),
    "joined subclass": lambda: select(Engineer),
    "joined middle": lambda: select(Manager),
    "joined leaf": lambda: select(Director),
    "base and subclass": lambda: select(Person, Engineer).outerjoin(
        Engineer, Engineer.id == Person.id
    ),
    "with_polymorphic all": lambda: select(AnyPerson),
    "with_polymorphic all, columns": lambda: select(AnyPerson, AnyPerson.Engineer.language),
    "with_polymorphic some, flat": lambda: select(SomePerson),
    "with_polymorphic aliased": lambda: select(
        with_polymorphic(Person, "*", aliased=True), Firm
    ).where(true()),
    "where on a subclass": lambda: select(AnyPerson).where(AnyPerson.Engineer.language == "python"),
    "base, outer": lambda: select(Firm, Person).outerjoin(Firm.people),
    "of_type": lambda: select(Firm, Engineer).join(Firm.people.of_type(Engineer)),
    "of_type, outer": lambda: select(Firm, AnyPerson).outerjoin(Firm.people.of_type(AnyPerson)),
    "subclass columns": lambda: select(Engineer.id, Engineer.name, Engineer.language),
    "alias of a subclass": lambda: select(aliased(Engineer)),
    "alias of a subclass, flat": lambda: select(aliased(Director, flat=True)),
    "two aliases": lambda: select(aliased(Person), aliased(Engineer)).where(true()),
    "eager with_polymorphic": lambda: select(Vessel),
    "eager with_polymorphic, outer": lambda: select(User.id, Vessel).outerjoin(
        Vessel, Vessel.id == User.id
    ),
    "eager with_polymorphic, alias": lambda: select(aliased(Vessel)),
    "no discriminator": lambda: select(House),
    "single base": lambda: select(Animal),
    "single subclass": lambda: select(Cat),
    "single subclass without inline": lambda: select(Dog),
    "single, with_polymorphic": lambda: select(with_polymorphic(Animal, "*")),
    "single, columns": lambda: select(Dog.id, Dog.tricks),
    "single, outer": lambda: select(Cat, (d := aliased(Dog))).outerjoin(d, d.id == Cat.id + 1),
    "single, union": lambda: union_all(select(Cat.id), select(Dog.id)),
    "discriminator that is NULL": lambda: select(Thing).from_statement(
        text("SELECT 3 AS id, NULL AS kind")
    ),
    "discriminator that may be NULL": lambda: select(Thing, SubThing.id).join(SubThing, true()),
    "rows of another class": lambda: select(Cat).from_statement(text("SELECT * FROM animals")),
    "rows of a base class": lambda: select(Engineer).from_statement(
        text("SELECT persons.*, 'x' AS language FROM persons")
    ),
    "expression discriminator": lambda: select(Shape),
    "concrete": lambda: select(Vehicle, Truck).outerjoin(Truck, Truck.id == Vehicle.id),
    "load_only on the base": lambda: select(Person).options(load_only(Person.name)),
    "load_only on a subclass": lambda: select(AnyPerson).options(
        load_only(AnyPerson.Engineer.language)
    ),
    "defer on a subclass": lambda: select(AnyPerson).options(defer(AnyPerson.Engineer.language)),
    "undefer on a subclass": lambda: select(Engineer).options(undefer(Engineer.note)),
    "defer the discriminator": lambda: select(Person).options(load_only(Person.id)),
    "from_statement of the base": lambda: select(Person).from_statement(
        select(Person).order_by(Person.id)
    ),
    "from_statement of text": lambda: select(Person).from_statement(text("SELECT * FROM persons")),
    "from_statement of a joined text": lambda: select(Engineer).from_statement(
        text(
            "SELECT persons.id, persons.name, persons.kind, persons.firm_id, engineers.id AS eid,"
            " engineers.language FROM persons JOIN engineers ON engineers.id = persons.id"
        ).columns(
            Person.id, Person.name, Person.kind, Person.firm_id, Engineer.id, Engineer.language
        )
    ),
}

OPTIONS: dict[str, Make] = {
    "load_only": lambda: select(User).options(load_only(User.name)),
    "load_only two": lambda: select(User).options(load_only(User.name, User.age)),
    "load_only of a deferred": lambda: select(Invoice).options(load_only(Invoice.memo)),
    "load_only raising": lambda: select(User).options(load_only(User.name, raiseload=True)),
    "load_only of an expression": lambda: select(Invoice).options(load_only(Invoice.gross)),
    "load_only of an alias": lambda: (
        select(U2, User).join(U2, User.boss_id == U2.id).options(load_only(U2.name))
    ),
    "load_only of both": lambda: (
        select(User, Post).join(User.posts).options(load_only(User.name), load_only(Post.title))
    ),
    "load_only of the second": lambda: (
        select(User, Post).join(User.posts).options(load_only(Post.title))
    ),
    "load_only through a synonym": lambda: select(Invoice).options(load_only(Invoice.tax)),
    "defer": lambda: select(User).options(defer(User.name)),
    "defer two": lambda: select(User).options(defer(User.name), defer(User.age)),
    "defer all": lambda: select(User).options(defer("*")),
    "defer all but one": lambda: select(User).options(defer("*"), undefer(User.name)),
    "defer raising": lambda: select(User).options(defer(User.name, raiseload=True)),
    "defer a key": lambda: select(User).options(defer(User.id)),
    "defer a renamed": lambda: select(Renamed).options(defer(Renamed.a)),
    "defer part of a composite": lambda: select(Segment).options(defer(Segment.start_x)),
    "undefer": lambda: select(Invoice).options(undefer(Invoice.memo)),
    "undefer two": lambda: select(Invoice).options(undefer(Invoice.memo), undefer(Invoice.scan)),
    "undefer all": lambda: select(DeferredKey).options(undefer("*")),
    "undefer group": lambda: select(Invoice).options(undefer_group("papers")),
    "undefer an expression": lambda: select(Invoice).options(undefer(Invoice.late_gross)),
    "undefer a raising one": lambda: select(Invoice).options(undefer(Invoice.forbidden)),
    "all deferred": lambda: select(DeferredKey),
    "all deferred, one group": lambda: select(DeferredKey).options(undefer_group("g")),
    "raiseload": lambda: select(User).options(raiseload(User.posts)),
    "raiseload all": lambda: select(User).options(raiseload("*")),
    "lazyload": lambda: select(User).options(lazyload(User.posts), lazyload(User.boss)),
    "lazyload on eager": lambda: select(Hub).options(lazyload("*")),
    "lazyload on eager, outer": lambda: (
        select(Spoke, Hub).outerjoin(Hub, Hub.id == Spoke.hub_id).options(lazyload("*"))
    ),
    "lazyload, then load_only": lambda: select(User).options(
        lazyload(User.posts).load_only(Post.title)
    ),
    "defaultload": lambda: select(User).options(defaultload(User.posts).defer(Post.body)),
    "chained": lambda: select(User).options(load_only(User.name)).options(load_only(User.age)),
    "option on nothing selected": lambda: select(User.id).options(load_only(User.name)),
    "option on another entity": lambda: select(User).options(load_only(Post.title)),
    "defer and column": lambda: select(User, User.name).options(defer(User.name)),
}

if not SQLALCHEMY_20_FIRST:
    # The first supported SQLAlchemy can't make these options.
    OPTIONS["defer a composite"] = lambda: select(Segment).options(defer(Segment.start))
    OPTIONS["load_only a composite"] = lambda: select(Segment).options(load_only(Segment.end))

ALL: dict[str, Make] = {
    f"{group} {name}": make
    for group, cases in {
        "entities": ENTITIES,
        "columns": COLUMNS,
        "compounds": COMPOUNDS,
        "polymorphic": POLYMORPHIC,
        "options": OPTIONS,
    }.items()
    for name, make in cases.items()
}


@pytest.mark.parametrize("name", ALL)
def test_statement(oracle: Oracle, name: str) -> None:
    """Rows, keys, objects and errors are the ORM's, on the first run and from the caches."""
    make = ALL[name]
    oracle.compare(make(), ordered=False)
    oracle.compare(make(), ordered=False)


POSTGRESQL: dict[str, Make] = {
    "lateral": lambda: select(User, (s := _lateral()).c.title).join(s, true()),
    "lateral alias": lambda: select(User, p := aliased(Post, _lateral())).outerjoin(p, true()),
    "distinct on": lambda: _distinct_on(User.age).order_by(User.age, User.id),
    "for update": lambda: select(User).order_by(User.id).with_for_update(of=User, skip_locked=True),
    "table-valued": lambda: select(func.generate_series(1, 3).table_valued("n").render_derived()),
    "table-valued column": lambda: select(func.generate_series(1, 3).column_valued("n")),
    "table-valued and entity": lambda: select(
        User, (n := func.generate_series(1, User.id).table_valued("n").render_derived()).c.n
    ).join(n, true()),
    "array aggregate": lambda: select(func.array_agg(User.id)),
    "row constructor": lambda: select(func.row(User.id, 1)),
    "DML in a CTE": lambda: select(
        (gone := delete(Tag).where(Tag.id == 3).returning(Tag.id, Tag.label).cte("gone")).c.label,
        gone.c.id,
    ),
    "entities of DML in a CTE": lambda: select(
        aliased(Tag, update(Tag).values(label=Tag.label + "x").returning(Tag).cte("changed"))
    ),
    "insert in a CTE": lambda: select(
        aliased(Tag, insert(Tag).values(id=99, label="z").returning(Tag).cte("made")), User
    ).where(true()),
    "full outer with a condition": lambda: select(User, Post).join(
        Post, and_(Post.author_id == User.id, User.id > 2), full=True
    ),
    "within group": lambda: select(func.percentile_disc(0.5).within_group(User.id)),
    "tablesample": lambda: select(aliased(User, _sample())),
    "tuple column": lambda: select(tuple_(User.id, User.name)),
}


def _distinct_on(column: Any) -> Any:
    if SQLALCHEMY_21:
        from sqlalchemy.dialects.postgresql import distinct_on

        return select(User).ext(distinct_on(column))
    return select(User).distinct(column)


def _sample() -> Any:
    return User.__table__.tablesample(100)


def _lateral() -> Any:
    return lateral(select(Post).where(Post.author_id == User.id).correlate(User), name="lat")


@pytest.mark.parametrize("name", POSTGRESQL)
def test_postgresql_statement(oracle: Oracle, name: str) -> None:
    if not oracle.postgresql:
        oracle.compare(select(User).with_for_update())
        return
    oracle.compare(POSTGRESQL[name](), ordered=False)


SQLITE: dict[str, Make] = {
    "json_each": lambda: select(
        User.id, func.json_each("[1, 2]").table_valued("key", "value").c.value
    ).where(true()),
    "for update is ignored": lambda: select(User).with_for_update(),
    "pragma": lambda: text("PRAGMA table_info(users)"),
}


@pytest.mark.parametrize("name", SQLITE)
def test_sqlite_statement(oracle: Oracle, name: str) -> None:
    if oracle.postgresql:
        oracle.compare(text("SHOW server_version"))
        return
    oracle.compare(SQLITE[name](), ordered=False)
