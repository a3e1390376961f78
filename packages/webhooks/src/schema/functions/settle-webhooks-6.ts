/**
 * `settle_webhooks_6` records how attempts ended, in the order in which they ended: the history,
 * the delivery's state, and the consequences for the endpoint. The epoch of the claim fences it: a
 * worker that has lost its lease changes nothing.
 *
 * For attempts that were not accepted, `in_sent` says how they were sent. If the endpoint has been
 * given another URL, other headers, other certificates or another secret since, the answer is about
 * a request that would no longer be sent. It is stored in the history but counts as no failure, and
 * the delivery is due at once. The endpoint is read without a lock for this, so a change that is
 * committed at the same instant counts as one that came after the answer.
 *
 * `in_sent` has SHA-256 digests of what may be secret, because a server may log its parameters.
 *
 * An attempt that did not send anything, because of a fault on our side, replaces the last entry of
 * the history if that is about such an attempt, too. Such a fault counts as no try, so it can
 * repeat every minute for as long as nobody repairs it.
 *
 * An endpoint is disabled when it has accepted nothing for long enough, in enough attempts and of
 * enough events. So an endpoint that gets one event a week is not disabled because it refused two.
 *
 * Until `blocked_until` nothing is sent to an endpoint: because it asked for that (`Retry-After`),
 * because it cools down, or because a probe is under way. Of all attempts only the probe ends that,
 * however it ends; another can only make the wait longer. It was under way before and says nothing
 * about the wait: an endpoint that answers 429 to one of five deliveries accepts some of the
 * others. A wait that is asked for while the probe is under way began after it, too. If it is
 * longer than the probe's lease, the probe is an ordinary delivery from then on.
 *
 * An endpoint's row is written only if something changes. Endpoints are locked after the
 * deliveries, in the order of their ids, so that two workers never deadlock. Returns the endpoints
 * that have crossed a warning line. Each crossing is returned once, because the line crossed before
 * is read under that lock.
 */
export function settleInShortHistory(schema: string): string {
  return `create function ${schema}.settle_webhooks_6(in_outcomes json, in_sent json,
      in_breaker_failures integer, in_cooldown_ms bigint, in_max_cooldown_ms bigint,
      in_disable_after_ms bigint, in_disable_after_attempts integer, in_disable_after_events integer)
    returns setof text language plpgsql volatile set enable_seqscan = off set jit = off as $$
    declare
      settled_positions bigint[];
      settled_endpoints uuid[];
      settled_ids bigint[];
      first_failures boolean[];
      all_is_well boolean;
      changed bigint[];
    begin
      if in_sent is not null then
        select array_agg(s.id) into changed
          from json_to_recordset(in_sent) as s
            (id bigint, "endpointId" uuid, url text, headers text, tls text, secret text)
          join ${schema}.webhook_endpoints e on e.id = s."endpointId"
          where e.url <> s.url
            or ${digestOf("e.headers->>'secret'")} is distinct from s.headers
            or ${digestOf("e.tls->>'secret'")} is distinct from s.tls
            or s.secret is distinct from (
              select ${digestOf('x.secret')} from ${schema}.webhook_secrets x
                where x.endpoint_id = e.id and (x.expires_at is null or x.expires_at > now())
                order by x.id desc limit 1);
      end if;
      if changed is not null then
        in_outcomes := (
          select json_agg(case when (o.outcome->>'id')::bigint = any(changed)
                then (o.outcome::jsonb || '{"state": "retry", "reason": null, "gone": false,
                  "delayMs": 0, "blockMs": 0, "blame": "ours"}')::json
                else o.outcome end order by o.position)
            from json_array_elements(in_outcomes) with ordinality as o (outcome, position));
      end if;
      with outcomes as materialized (
        select * from rows from (json_to_recordset(in_outcomes) as (
          id bigint, epoch integer, state text, reason text, "delayMs" bigint, blame text,
          status integer, error text, message text, "durationMs" integer, body text,
          truncated boolean, "blockMs" bigint, unsent boolean
        )) with ordinality as o (id, epoch, state, reason, delay_ms, blame, status, error, message,
          duration_ms, body, truncated, block_ms, unsent, position)
          -- The order in which rows are locked, as by whoever erases an event.
          order by id
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
          returning d.id, d.endpoint_id, d.attempts as number, d.tries = 1 as is_first, o.position
      ), replaced as (
        delete from ${schema}.webhook_attempts a
          using (
            select l.delivery_id, l.number
              from settled s join outcomes o on o.position = s.position and o.unsent
              cross join lateral (
                select x.delivery_id, x.number, x.unsent from ${schema}.webhook_attempts x
                  where x.delivery_id = s.id order by x.number desc limit 1
              ) l
              where l.unsent
          ) last
          where a.delivery_id = last.delivery_id and a.number = last.number
      ), history as (
        insert into ${schema}.webhook_attempts (delivery_id, number, started_at, duration_ms, status,
            error, message, body, truncated, unsent)
          select s.id, s.number, now() - o.duration_ms * interval '1 millisecond', o.duration_ms,
              o.status, o.error, o.message, decode(o.body, 'base64'), o.truncated, o.unsent
            from settled s join outcomes o on o.position = s.position
      )
      select array_agg(s.position), array_agg(s.endpoint_id), array_agg(s.is_first), array_agg(s.id),
          bool_and(o.blame in ('none', 'ours') and o.block_ms = 0)
        into settled_positions, settled_endpoints, first_failures, settled_ids, all_is_well
        from settled s join outcomes o on o.position = s.position;

      if settled_positions is null or all_is_well and not exists (
        select from ${schema}.webhook_endpoints e
          where e.id = any(settled_endpoints) and (e.failing_since is not null or e.failures > 0
            or e.probe_id = any(settled_ids))
      ) then
        return;
      end if;

      return query
      with outcomes as materialized (
        select o.position, s.endpoint_id, s.id, s.is_first, o.blame, o.gone, o."blockMs" as block_ms
          from rows from (json_to_recordset(in_outcomes) as (
            blame text, gone boolean, "blockMs" bigint
          )) with ordinality as o (blame, gone, "blockMs", position)
          join unnest(settled_positions, settled_endpoints, first_failures, settled_ids)
            as s (position, endpoint_id, is_first, id)
            on s.position = o.position
          where o.blame <> 'ours'
      ), tally as materialized (
        select endpoint_id,
            coalesce(max(position) filter (where blame = 'none'), 0) as success,
            coalesce(max(position) filter (where blame in ('message', 'endpoint')), 0) as failure,
            max(block_ms) as block_ms,
            bool_or(gone) as gone,
            array_agg(id) as ids
          from outcomes group by endpoint_id
      ), failed as (
        select t.endpoint_id, count(*) filter (where o.blame = 'endpoint') as failures,
            count(*) as attempts, count(*) filter (where o.is_first) as events
          from tally t join outcomes o
            on o.endpoint_id = t.endpoint_id and o.position > t.success
              and o.blame in ('message', 'endpoint')
          group by t.endpoint_id
      ), locked as materialized (
        select e.id, e.status, e.warned, e.failing_since, e.failures, e.blocked_until,
            e.failed_attempts, e.failed_events, e.probe_id
          from ${schema}.webhook_endpoints e join tally t on t.endpoint_id = e.id
          where t.failure > 0 or t.block_ms > 0 or e.failing_since is not null or e.failures > 0
            or e.probe_id = any(t.ids)
          order by e.id
          for no key update of e
      ), judged as (
        select l.id, l.status, l.warned, t.gone, t.block_ms, l.blocked_until,
            case when t.success > 0 then coalesce(f.failures, 0)
              else l.failures + coalesce(f.failures, 0) end as failures,
            case when t.failure < t.success then null
              when t.success > 0 or l.failing_since is null then now()
              else l.failing_since end as failing_since,
            coalesce(f.attempts, 0)
              + case when t.success > 0 then 0 else l.failed_attempts end as failed_attempts,
            coalesce(f.events, 0)
              + case when t.success > 0 then 0 else l.failed_events end as failed_events,
            t.success > 0 as succeeded,
            coalesce(l.probe_id = any(t.ids), false) as probed,
            coalesce(f.failures, 0) > 0 as failed
          from locked l join tally t on t.endpoint_id = l.id
          left join failed f on f.endpoint_id = l.id
      ), weighed as (
        select j.*, case when j.failing_since is null then 0 else (
            select coalesce(max(line), 0) from unnest(array[50, 70, 90, 100]) line
              where extract(epoch from now() - j.failing_since) * 1000
                  >= in_disable_after_ms * (line / 100.0)
                and j.failed_attempts >= in_disable_after_attempts * (line / 100.0)
                and j.failed_events >= in_disable_after_events * (line / 100.0)
          ) end as line
          from judged j
      ), written as (
        update ${schema}.webhook_endpoints e
          set failures = w.failures,
            failing_since = w.failing_since,
            failed_attempts = w.failed_attempts,
            failed_events = w.failed_events,
            warned = case when w.succeeded then w.line else greatest(w.line, w.warned) end,
            blocked_until = greatest(
              case when w.probed then null else w.blocked_until end,
              case when w.failed and w.failures >= in_breaker_failures then now() + least(
                  in_max_cooldown_ms, in_cooldown_ms * power(2, least(w.failures - in_breaker_failures, 20))
                ) * interval '1 millisecond' end,
              case when w.block_ms > 0 then now() + w.block_ms * interval '1 millisecond' end),
            probe_id = case
              when w.probed or w.block_ms > 0
                and now() + w.block_ms * interval '1 millisecond' > w.blocked_until then null
              else e.probe_id end,
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

      -- What was ours to abort. Whoever holds the row is not waited for: then the lease ends the probe.
      update ${schema}.webhook_endpoints e
        set blocked_until = null, probe_id = null
        from (
          select p.id from ${schema}.webhook_endpoints p
            join unnest(settled_ids, settled_endpoints) as s (id, endpoint_id)
              on s.endpoint_id = p.id and s.id = p.probe_id
            order by p.id
            for no key update of p skip locked
        ) ended
        where e.id = ended.id;
    end $$`
}

/** In hexadecimal, as the worker writes it. */
function digestOf(text: string): string {
  return `encode(sha256(convert_to(${text}, 'UTF8')), 'hex')`
}
