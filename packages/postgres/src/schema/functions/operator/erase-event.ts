/**
 * Makes what is stored of one event anonymous, and enters that act in the audit. The events that
 * took its place, because an operator edited a dead letter, are erased with it: they have most of
 * its data. Its audit entries lose the values that were edited, and their note. Rows stay, so that
 * nothing is delivered twice. Returns how many events and how many entries were erased.
 *
 * Long tables are read before any row is locked, and rows are then changed by their keys: a relay
 * must not wait until the log has been read. A delivery is locked before its attempts, as by
 * settle_3(), which deletes it and then them.
 *
 * The tables of webhooks may be missing, so their statements are made at run time.
 */
export function eraseEventFunction(schema: string): string {
  return `create function ${schema}.erase_event(in_event text, in_actor text, in_target text,
      in_note text, out events bigint, out entries bigint)
    language plpgsql volatile set jit = off as $$
    declare
      erased text[];
      numbers bigint[];
      letters bigint[];
      edited bigint[];
      erasing bigint;
    begin
      with recursive edits as materialized (
        select o.detail->>'eventId' as event, o.detail->>'newEventId' as made
          from ${schema}.operations o where o.act = ${EDITED}
      ), meant (id) as (
        select in_event
        union
        select e.made from meant m join edits e on e.event = m.id
      )
      select array_agg(m.id) into erased from meant m;
      events := cardinality(erased);

      select array_agg(o.seq) into numbers from ${schema}.outbox o
        where o.id = any(erased::uuid[]);
      select array_agg(d.id) into letters from ${schema}.deliveries d
        where d.event_id = any(erased);
      select coalesce(array_agg(o.id), '{}') into edited from ${schema}.operations o
        where o.act = ${EDITED} and o.detail->>'eventId' = any(erased);
      entries := cardinality(edited);

      perform from ${schema}.deliveries d where d.id = any(letters) order by d.id for update;
      update ${schema}.deliveries d
        set data = 'null', headers = '{}', subject = null, error_message = null, note = null
        where d.id = any(letters);
      update ${schema}.delivery_attempts a set message = '', stack = null
        where a.delivery = any(letters);
      update ${schema}.outbox o set data = 'null', headers = '{}', subject = null
        where o.seq = any(numbers) and o.id = any(erased::uuid[]);
      if to_regclass('${schema.replaceAll("'", "''")}.webhook_messages') is not null then
        execute $of$select array_agg(d.id) from (
            select d.id from ${schema}.webhook_deliveries d where d.message_id = any($1)
              order by d.id for update) d$of$
          into letters using erased::uuid[];
        execute $of$update ${schema}.webhook_deliveries d set note = null
          where d.id = any($1) and d.note is not null$of$
          using letters;
        execute $of$update ${schema}.webhook_attempts a set message = null, body = null
          where a.delivery_id = any($1)$of$
          using letters;
        execute $of$update ${schema}.webhook_messages m
          set headers = '{}', subject = null, body = convert_to(format(
            '{"type":%s,"timestamp":"%s","data":null}', to_json(m.type), to_char(
              m.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')), 'UTF8')
          where m.id = any($1)$of$
          using erased::uuid[];
      end if;

      erasing := ${schema}.audit(in_actor, 'events.erase', in_target, in_note,
        jsonb_build_object('events', to_jsonb(erased), 'entries', entries));
      update ${schema}.operations o
        set note = '',
          detail = o.detail - 'changes' || jsonb_build_object('erasedBy', erasing::text)
        where o.id = any(edited);
    end $$`
}

/**
 * A trigger that refuses changes of the audit. It allows two: to erase an entry of an act on a key,
 * and to erase the values in the entry of an edited dead letter. The erased entry has to name the
 * act that erased it. Who acted, what they did and when stays.
 */
export function refuseOtherChangeToo(schema: string): string {
  return `create or replace function ${schema}.refuse_other_change()
    returns trigger language plpgsql as $$
    begin
      if new.id = old.id and new.at = old.at and new.actor = old.actor and new.act = old.act
        and new.note = '' and (
          old.act in ('keys.release', 'keys.answer', 'keys.forget')
            and new.target = '["erased"]'
            and new.detail = jsonb_build_object('erasedBy', new.detail->>'erasedBy')
            and exists (select from ${schema}.operations o
              where o.id::text = new.detail->>'erasedBy' and o.act = 'keys.erase-scope')
          or old.act = ${EDITED}
            and new.target = old.target
            and new.detail = old.detail - 'changes'
              || jsonb_build_object('erasedBy', new.detail->>'erasedBy')
            and exists (select from ${schema}.operations o
              where o.id::text = new.detail->>'erasedBy' and o.act = 'events.erase'))
      then
        return new;
      end if;
      raise exception 'operations are only ever added: % is refused', tg_op
        using errcode = 'restrict_violation';
    end $$`
}

const EDITED = "'dead-letters.edit-and-redrive'"
