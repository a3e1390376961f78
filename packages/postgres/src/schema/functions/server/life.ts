/**
 * Identifies this life of the server, as one text; null if it has no name yet. A new life begins
 * whenever the server may hand out numbers for a second time: see decision 114.
 *
 * - After a crash, of the server or of one backend, and on a promoted standby, the row of `life` is
 *   gone, because the table is UNLOGGED.
 * - A row restored from a dump does not count, because it was not written by the transaction that
 *   it names. A row in a copied database does not count, because it names the original database.
 * - A data folder that was copied while the server was stopped keeps the row, but the time at which
 *   its server started differs.
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
 * Returns the server's life, and gives it a name first if it has none.
 *
 * A sequence writes one log record for the next 32 numbers and then hands these out without
 * logging. In a database made from a template, a sequence can begin in the middle of such a run:
 * its copy was logged with the number that was handed out last, not with the end of the run. A
 * crash then sets the sequence back to that number, below those of committed rows. So naming a life
 * also advances every sequence past the run.
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

/** Returns 'in_what' if 'in_life' is this life of the server; raises OK003 if it is not. */
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
 * Returns the given slots and epochs unchanged if 'in_life' is this life of the server. Otherwise
 * it sets their epochs to -1, which no slot has: an epoch of another life may have been handed out
 * again and proves nothing.
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
