import { refuseDropped } from '@oncekey/postgres/client'

/**
 * `fan_out_webhooks_2` inserts messages and, for each, a delivery to every endpoint that wants it,
 * including paused and disabled endpoints, which get it when they are enabled again. A message that
 * already exists was fanned out before and gets no new deliveries, unless that was for other
 * customers: then another fan-out tells another party of the same event, and notes them in the
 * message, which outlives its deliveries.
 *
 * Rows are written in order of their ids: the same events may be fanned out for another party at
 * the same time, in other batches, and each would wait for what the other has written.
 *
 * The relay's cursor passes the events in the same commit, so a message or a delivery that a
 * trigger drops would be lost: it raises. A row that is not ours may be of a fan-out beside this
 * one. It is asked about in a statement of its own, whose snapshot has what the other committed.
 */
export function fanOutToEveryParty(schema: string): string {
  return `create function ${schema}.fan_out_webhooks_2(in_events json) returns bigint
    language plpgsql volatile set enable_seqscan = off set jit = off as $$
    declare
      ids uuid[];
      endpoints uuid[];
      fresh uuid[];
      made bigint;
    begin
      with events as materialized (
        select v.id, v.customer, v.patterns
          from json_to_recordset(in_events) as v (id uuid, customer text, patterns text[])
      ), matches as (
        select v.id, e.id as endpoint_id
          from events v join ${schema}.webhook_endpoints e
            on e.customer = v.customer and e.types && v.patterns
          where e.status <> 'deleted'
        union all
        select v.id, e.id
          from events v join ${schema}.webhook_endpoints e
            on e.customer is null and v.customer is null and e.types && v.patterns
          where e.status <> 'deleted'
      )
      select array_agg(m.id), array_agg(m.endpoint_id) into ids, endpoints from matches m;
      if ids is null then
        return 0;
      end if;

      with written as (
        insert into ${schema}.webhook_messages as m
            (id, type, source, subject, headers, customer, body, occurred_at)
          select v.id, v.type, v.source, v.subject, v.headers, v.customer,
              convert_to(v.body, 'UTF8'), v."occurredAt"
            from json_to_recordset(in_events) as v (
              id uuid, type text, source text, subject text, headers json, customer text, body text,
              "occurredAt" timestamptz)
            where v.id = any(ids)
            order by v.id
          on conflict (id) do update
            set other_customers = array_append(m.other_customers, excluded.customer)
            where m.customer is distinct from excluded.customer
              and array_position(m.other_customers, excluded.customer) is null
          returning m.id
      )
      select coalesce(array_agg(w.id), '{}') into fresh from written w;
      perform from unnest(ids) as i (id)
        where i.id <> all(fresh)
          and not exists (select from ${schema}.webhook_messages m where m.id = i.id);
      ${refuseDropped('webhook_messages', 'found')}

      insert into ${schema}.webhook_deliveries (message_id, endpoint_id)
        select m.id, m.endpoint_id from unnest(ids, endpoints) as m (id, endpoint_id)
          where m.id = any(fresh)
          order by m.id, m.endpoint_id
        on conflict on constraint webhook_deliveries_once do nothing;
      get diagnostics made = row_count;
      if made < (select count(*) from unnest(ids) as i (id) where i.id = any(fresh)) then
        perform from unnest(ids, endpoints) as m (id, endpoint_id)
          where m.id = any(fresh) and not exists (
            select from ${schema}.webhook_deliveries d
              where d.message_id = m.id and d.endpoint_id = m.endpoint_id);
        ${refuseDropped('webhook_deliveries', 'found')}
      end if;
      return made;
    end $$`
}
