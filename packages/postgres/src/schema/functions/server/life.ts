/**
 * The server's life, as one text; null where nobody has named it yet. It is another one whenever
 * numbers that were handed out can be handed out again: see decision 114.
 *
 * - The row is gone after a crash, of the server or of one backend, and on a standby that was
 *   promoted: the table is UNLOGGED.
 * - A row that came with a dump was not written by the transaction that it names, and one that came
 *   with a copied database names another database.
 * - A data folder that was copied while the server was stopped has the row, and another start.
 */
export function life(schema: string): string {
  return `create function ${schema}.life() returns text
    language plpgsql stable as $$
    begin
      return (
        select l.token::text || '@' ||
            (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text
          from ${schema}.life l
          where l.xmin = l.written_by::xid
            and l.database = (select d.oid from pg_database d where d.datname = current_database())
      );
    end $$`
}

/**
 * The same, named anew where it has no name.
 *
 * A sequence logs 32 numbers ahead, and a database that was made from a template goes on with the
 * source's unlogged rest: a crash sets it back below rows that are committed. So whoever names a
 * life first takes each sequence past that rest.
 */
export function nameLife(schema: string): string {
  return `create function ${schema}.name_life() returns text
    language plpgsql volatile as $$
    declare
      here text := ${schema}.life();
      sequence regclass;
    begin
      if here is null then
        lock table ${schema}.life in share row exclusive mode;
        -- Somebody may have been faster: VOLATILE, so this is another snapshot.
        here := ${schema}.life();
        if here is null then
          delete from ${schema}.life;
          insert into ${schema}.life (database)
            select d.oid from pg_database d where d.datname = current_database();
          here := ${schema}.life();
          for sequence in
            select c.oid from pg_class c
              where c.relnamespace = '${schema}'::regnamespace
                and case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'usage') end
          loop
            perform nextval(sequence) from generate_series(1, 33);
          end loop;
        end if;
      end if;
      return here;
    end $$`
}

/** Gives back what it was given, where it is of this life of the server; raises OK003 where not. */
export function inLife(schema: string): string {
  return `create function ${schema}.in_life(in_what json, in_life text) returns json
    language plpgsql stable as $$
    begin
      if in_life is distinct from ${schema}.life() then
        raise exception 'what a reader remembers is of another life of the server'
          using errcode = 'OK003';
      end if;
      return in_what;
    end $$`
}

/**
 * Slots with the epochs that prove their being held, where these are of this life of the server. Of
 * another life an epoch proves nothing: it may have been handed out again.
 */
export function stillHeld(schema: string): string {
  return `create function ${schema}.still_held(in_held json, in_life text) returns json
    language plpgsql stable as $$
    begin
      if in_life is not distinct from ${schema}.life() then
        return in_held;
      end if;
      return (
        select coalesce(json_agg(jsonb_set(h::jsonb, '{epoch}', '"-1"')), '[]')
          from json_array_elements(in_held) h
      );
    end $$`
}
