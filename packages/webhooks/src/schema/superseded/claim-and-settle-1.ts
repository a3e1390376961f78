/**
 * The functions of the first release, `claim_webhooks` and `settle_webhooks`. Claiming and
 * recording are functions because a session then keeps their plans, whether or not the driver
 * prepares statements. `enable_seqscan` is off in both, because a plan that was made while a table
 * had one page would read the whole table ever after.
 */
export function claimAndSettle(schema: string): string[] {
  return [claimFunction(schema), settleFunction(schema)]
}

/**
 * Claims deliveries that are due, from as many endpoints as possible, and returns what to send.
 *
 * `waiting` hops along the index from endpoint to endpoint. Its cost grows with the number of
 * waiting endpoints, not with that of their deliveries: an endpoint with a hundred thousand
 * deliveries is one hop. Endpoints are taken in random order, so that none is always last. Rows are
 * locked in a materialized CTE, because a plain subquery could run several times and take more rows
 * than its limit.
 */
function claimFunction(schema: string): string {
  return `create function ${schema}.claim_webhooks(in_limit integer, in_per_endpoint integer,
      in_under_way json, in_lease_ms bigint, in_breaker_failures integer, in_most_unfinished integer)
    returns setof text language plpgsql volatile set enable_seqscan = off as $$
    begin
      return query
      with recursive waiting (endpoint_id) as (
        (select endpoint_id from ${schema}.webhook_deliveries where state = 'pending'
          order by endpoint_id limit 1)
        union all
        select (
          select d.endpoint_id from ${schema}.webhook_deliveries d
            where d.state = 'pending' and d.endpoint_id > w.endpoint_id
            order by d.endpoint_id limit 1
        ) from waiting w where w.endpoint_id is not null
      ), ready as materialized (
        select e.id, e.failures >= in_breaker_failures as probed,
            case when e.failures >= in_breaker_failures then 1
              else in_per_endpoint - coalesce(u.running, 0) end as room
          from waiting w
          join ${schema}.webhook_endpoints e on e.id = w.endpoint_id
          left join json_to_recordset(in_under_way) as u (id uuid, running integer) on u.id = e.id
          where e.status = 'enabled' and (e.blocked_until is null or e.blocked_until <= now())
          order by random()
      ), picked as materialized (
        select due.id, due.unfinished >= in_most_unfinished as poison, r.id as endpoint_id, r.probed
          from ready r cross join lateral (
            select d.id, d.unfinished from ${schema}.webhook_deliveries d
              where d.endpoint_id = r.id and d.state = 'pending' and d.due_at <= now()
                and (d.leased_until is null or d.leased_until <= now())
              order by d.due_at, d.id
              limit greatest(r.room, 0)
              for update of d skip locked
          ) due
          limit in_limit
      ), poisoned as (
        update ${schema}.webhook_deliveries d
          set state = 'dead', reason = 'poison', error = 'poison', leased_until = null,
            ended_at = now(), died_at = now()
          from picked p where p.poison and d.id = p.id
      ), probed as (
        update ${schema}.webhook_endpoints e
          set blocked_until = now() + in_lease_ms * interval '1 millisecond'
          from (
            select id from ${schema}.webhook_endpoints
              where id in (select endpoint_id from picked where probed)
              order by id for no key update
          ) o
          where e.id = o.id
      ), claimed as (
        update ${schema}.webhook_deliveries d
          set epoch = d.epoch + 1, unfinished = d.unfinished + 1,
            leased_until = now() + in_lease_ms * interval '1 millisecond'
          from picked p where not p.poison and d.id = p.id
          returning d.id, d.epoch, d.message_id, d.endpoint_id, d.attempts, d.unfinished, d.tries
      )
      select json_build_object('id', c.id::text, 'epoch', c.epoch,
          'number', c.attempts + c.unfinished, 'tries', c.tries, 'endpointId', c.endpoint_id,
          'url', e.url, 'messageId', c.message_id, 'body', encode(m.body, 'base64'),
          'secrets', (
            select json_agg(json_build_object('secret', s.secret, 'seal', s.seal) order by s.id desc)
              from ${schema}.webhook_secrets s
              where s.endpoint_id = c.endpoint_id
                and (s.expires_at is null or s.expires_at > now())
          ))::text
        from claimed c
        join ${schema}.webhook_endpoints e on e.id = c.endpoint_id
        join ${schema}.webhook_messages m on m.id = c.message_id;
    end $$`
}

/**
 * Records how attempts ended, in the order in which they ended: the history, the delivery's state,
 * and the consequences for the endpoint. The epoch of the claim fences it: a worker that has lost
 * its lease changes nothing.
 *
 * An endpoint's row is written only if something changes. Endpoints are locked after the
 * deliveries, in the order of their ids, so that two workers never deadlock. Returns the endpoints
 * that have crossed a warning line. Each crossing is returned once, because the line crossed before
 * is read under that lock.
 */
function settleFunction(schema: string): string {
  return `create function ${schema}.settle_webhooks(in_outcomes json, in_breaker_failures integer,
      in_cooldown_ms bigint, in_max_cooldown_ms bigint, in_disable_after_ms bigint)
    returns setof text language plpgsql volatile set enable_seqscan = off as $$
    declare
      settled_positions bigint[];
      settled_endpoints uuid[];
      all_is_well boolean;
    begin
      with outcomes as materialized (
        select * from rows from (json_to_recordset(in_outcomes) as (
          id bigint, epoch integer, state text, reason text, "delayMs" bigint, blame text,
          status integer, error text, message text, "durationMs" integer, body text,
          truncated boolean, "blockMs" bigint
        )) with ordinality as o (id, epoch, state, reason, delay_ms, blame, status, error, message,
          duration_ms, body, truncated, block_ms, position)
      ), settled as (
        update ${schema}.webhook_deliveries d
          set state = case o.state when 'retry' then 'pending' else o.state end,
            reason = o.reason,
            error = o.error,
            due_at = case o.state
              when 'retry' then now() + o.delay_ms * interval '1 millisecond' else d.due_at end,
            ended_at = case o.state when 'retry' then null else now() end,
            died_at = case o.state when 'dead' then now() else d.died_at end,
            leased_until = null,
            attempts = d.attempts + d.unfinished,
            tries = d.tries + case o.blame when 'ours' then 0 else 1 end,
            unfinished = 0
          from outcomes o
          where d.id = o.id and d.epoch = o.epoch and d.state = 'pending'
            and d.leased_until is not null
          returning d.id, d.endpoint_id, d.attempts as number, o.position
      ), history as (
        insert into ${schema}.webhook_attempts
            (delivery_id, number, started_at, duration_ms, status, error, message, body, truncated)
          select s.id, s.number, now() - o.duration_ms * interval '1 millisecond', o.duration_ms,
              o.status, o.error, o.message, decode(o.body, 'base64'), o.truncated
            from settled s join outcomes o on o.position = s.position
      )
      select array_agg(s.position), array_agg(s.endpoint_id),
          bool_and(o.blame in ('none', 'ours') and o.block_ms = 0)
        into settled_positions, settled_endpoints, all_is_well
        from settled s join outcomes o on o.position = s.position;

      if settled_positions is null or all_is_well and not exists (
        select from ${schema}.webhook_endpoints e
          where e.id = any(settled_endpoints) and (e.failing_since is not null or e.failures > 0)
      ) then
        return;
      end if;

      return query
      with outcomes as materialized (
        select o.position, s.endpoint_id, o.blame, o.gone, o."blockMs" as block_ms
          from rows from (json_to_recordset(in_outcomes) as (
            blame text, gone boolean, "blockMs" bigint
          )) with ordinality as o (blame, gone, "blockMs", position)
          join unnest(settled_positions, settled_endpoints) as s (position, endpoint_id)
            on s.position = o.position
          where o.blame <> 'ours'
      ), tally as materialized (
        select endpoint_id,
            coalesce(max(position) filter (where blame = 'none'), 0) as success,
            coalesce(max(position) filter (where blame in ('message', 'endpoint')), 0) as failure,
            max(block_ms) as block_ms,
            bool_or(gone) as gone
          from outcomes group by endpoint_id
      ), failed as (
        select t.endpoint_id, count(*) as failures
          from tally t join outcomes o
            on o.endpoint_id = t.endpoint_id and o.position > t.success and o.blame = 'endpoint'
          group by t.endpoint_id
      ), locked as materialized (
        select e.id, e.status, e.warned, e.failing_since, e.failures, e.blocked_until
          from ${schema}.webhook_endpoints e join tally t on t.endpoint_id = e.id
          where t.failure > 0 or t.block_ms > 0 or e.failing_since is not null or e.failures > 0
          order by e.id
          for no key update of e
      ), judged as (
        select l.id, l.status, l.warned, t.gone, t.block_ms, l.blocked_until,
            case when t.success > 0 then coalesce(f.failures, 0)
              else l.failures + coalesce(f.failures, 0) end as failures,
            case when t.failure < t.success then null
              when t.success > 0 or l.failing_since is null then now()
              else l.failing_since end as failing_since,
            t.success > 0 as succeeded,
            coalesce(f.failures, 0) > 0 as failed
          from locked l join tally t on t.endpoint_id = l.id
          left join failed f on f.endpoint_id = l.id
      ), weighed as (
        select j.*, case when j.failing_since is null then 0 else (
            select coalesce(max(line), 0) from unnest(array[50, 70, 90, 100]) line
              where extract(epoch from now() - j.failing_since) * 1000
                >= in_disable_after_ms * (line / 100.0)
          ) end as line
          from judged j
      ), written as (
        update ${schema}.webhook_endpoints e
          set failures = w.failures,
            failing_since = w.failing_since,
            warned = case when w.succeeded then w.line else greatest(w.line, w.warned) end,
            blocked_until = greatest(
              case when w.failed and w.failures >= in_breaker_failures then now() + least(
                  in_max_cooldown_ms, in_cooldown_ms * power(2, least(w.failures - in_breaker_failures, 20))
                ) * interval '1 millisecond'
                when w.succeeded then null else w.blocked_until end,
              case when w.block_ms > 0 then now() + w.block_ms * interval '1 millisecond' end),
            status = case when e.status in ('enabled', 'paused') and (w.gone or w.line = 100)
              then 'disabled' else e.status end,
            reason = case when e.status in ('enabled', 'paused') and (w.gone or w.line = 100)
              then case when w.gone then 'gone' else 'failing' end else e.reason end,
            changed_at = case when e.status in ('enabled', 'paused') and (w.gone or w.line = 100)
              then now() else e.changed_at end
          from weighed w where e.id = w.id
          returning e.id, e.customer, e.url, e.status, e.reason, e.failing_since, w.line,
            e.status <> w.status as disabled,
            w.line > case when w.succeeded then 0 else w.warned end as warned
      )
      select json_build_object('id', id, 'customer', customer, 'url', url, 'disabled', disabled,
          'reason', reason, 'failingPercent', case when warned then line end,
          'failingSince', failing_since)::text
        from written where disabled or warned;
    end $$`
}
