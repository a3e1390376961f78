import { refuseDropped } from '@oncekey/postgres/client'

/**
 * `webhook_made_for_one` and `webhook_withheld` are triggers that note in a message what its
 * deliveries say about it, because deliveries are purged before their message, and a replay reads
 * messages: for which one endpoint an edited dead letter was made, and whose customer it concerns;
 * and to which endpoints it must not be sent, because it was discarded or replaced there. The
 * latter is noted when that happens and not when the delivery is purged: a replay under way has
 * looked before. They are triggers because earlier releases edit and discard without noting it.
 */
export function markMessages(schema: string): string[] {
  // A restore of the data alone may bring deliveries before their messages.
  const refuse = refuseDropped(
    'webhook_messages',
    `not found and exists (
          select from ${schema}.webhook_messages m where m.id = new.message_id)`,
  )
  return [
    `create function ${schema}.webhook_made_for_one() returns trigger
      language plpgsql set jit = off as $$
      begin
        update ${schema}.webhook_messages m
          set only_for = new.endpoint_id, customer = (
            select e.customer from ${schema}.webhook_endpoints e where e.id = new.endpoint_id)
          where m.id = new.message_id;
        ${refuse}
        return null;
      end $$`,
    `create trigger webhook_made_for_one after insert
      on ${schema}.webhook_deliveries
      for each row when (new.replaces is not null)
      execute function ${schema}.webhook_made_for_one()`,
    `create function ${schema}.webhook_withheld() returns trigger
      language plpgsql set jit = off as $$
      begin
        update ${schema}.webhook_messages m
          set withheld_from = array_append(m.withheld_from, new.endpoint_id)
          where m.id = new.message_id;
        ${refuse}
        return null;
      end $$`,
    `create trigger webhook_withheld after update of state
      on ${schema}.webhook_deliveries
      for each row when (new.state = 'discarded')
      execute function ${schema}.webhook_withheld()`,
  ]
}

/**
 * Notes the same of what was edited and discarded before these triggers were there, from the audit.
 * The audit may be long, and the migration holds the tables from its first change to its end, so it
 * is read before, by `first`. Others discard meanwhile, until the triggers lock the deliveries. So
 * `last` looks at the entries of the last day once more, by their number: an entry gets that, and
 * its time, in the statement that acts, which no longer runs after a day.
 */
export function earlierMarks(schema: string): {
  readonly first: readonly string[]
  readonly last: readonly string[]
} {
  const entries = `select o.id, (o.detail->>'eventId')::uuid as message,
          (o.detail->>'newEventId')::uuid as made, (o.detail->>'origin')::uuid as endpoint
        from ${schema}.operations o
        where o.act in ('dead-letters.discard', 'dead-letters.edit-and-redrive')
          and o.target like '["dead-letter","webhooks",%'`
  return {
    first: [`create table ${schema}.webhook_earlier_marks as ${entries}`],
    last: [
      `insert into ${schema}.webhook_earlier_marks ${entries}
          and o.id > coalesce((
            select p.id from ${schema}.operations p where p.at < now() - interval '1 day'
              order by p.id desc limit 1), 0)
          and not exists (
            select from ${schema}.webhook_earlier_marks e where e.id = o.id)`,
      `with marks as materialized (
          select n.message, (array_agg(n.made_for) filter (where n.made_for is not null))[1]
                as made_for,
              array_agg(n.endpoint order by n.id) filter (where n.endpoint is not null)
                as endpoints
            from (
              select e.id, e.message, null::uuid as made_for, e.endpoint
                from ${schema}.webhook_earlier_marks e
              union all
              select e.id, e.made, e.endpoint, null
                from ${schema}.webhook_earlier_marks e where e.made is not null
            ) n
            group by n.message
        )
        update ${schema}.webhook_messages m
          set only_for = marks.made_for, withheld_from = marks.endpoints,
            customer = case when marks.made_for is null then m.customer else (
              select e.customer from ${schema}.webhook_endpoints e where e.id = marks.made_for
            ) end
          from marks where m.id = marks.message`,
      `drop table ${schema}.webhook_earlier_marks`,
    ],
  }
}
