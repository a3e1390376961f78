/**
 * `claim_webhooks_5`: an earlier version of `claim_webhooks_6`, for workers of an earlier release.
 * Claims deliveries that are due, from as many endpoints as there are, and returns what to send.
 *
 * `waiting` hops along the index from endpoint to endpoint, so its cost grows with the number of
 * waiting endpoints and not with their deliveries. Endpoints are taken in random order, so that
 * none is always last. Rows are locked in materialized CTEs: a plain subquery could run again and
 * take more than its limit.
 *
 * An endpoint that has a rate, or is probed, is locked first, and passed over if another worker is
 * claiming for it, so that the limit is one for all workers. A lock is a write, so only as many
 * endpoints are locked as there is room for, and only if something is due.
 *
 * One claim takes up to a tenth of a second's worth, n deliveries. The endpoint then rests for
 * n / rate seconds, or for n / (rate - floor(rate / 10)) where the rate is at least 20, some
 * 1.1 * n / rate. A claim sends its n at once, so without that tenth a second that begins with one
 * claim and ends with another would see more than `rate`. Unused time is not saved up.
 *
 * `in_most_bytes` bounds the bodies of one claim together. At least one is claimed, however long it
 * is. Fifty bodies of two megabytes in one reply ended the worker that asked, and each next one.
 *
 * `in_worker` is noted with the epoch, since a claim of the release before notes nothing: it is how
 * a worker finds what it claimed and never heard of.
 *
 * An endpoint of which `in_under_way` says more than any worker can have under way (2^30) is one to
 * which this worker cannot send for a while. It is passed over whole: a probe of it would end
 * without being sent, and with it the cooldown, and a lock would keep other workers from it.
 *
 * A delivery that was claimed `in_suspect_from` times in a row without an outcome is a suspect: it
 * may be what ends its workers. A claim takes one of them, and only with `in_takes_suspect`, which
 * a worker sets while it has none under way. So its death counts for one of several suspects.
 *
 * `in_able` is false for a release that does not send an endpoint's own headers or certificates. It
 * is given no delivery that needs them.
 */
export function claimOneSuspect(schema: string): string {
  return `create function ${schema}.claim_webhooks_5(in_limit integer, in_per_endpoint integer,
      in_under_way json, in_lease_ms bigint, in_breaker_failures integer, in_most_unfinished integer,
      in_able boolean, in_most_bytes bigint, in_worker text, in_suspect_from integer,
      in_takes_suspect boolean)
    returns setof text language plpgsql volatile set enable_seqscan = off set jit = off as $$
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
      ), known as materialized (
        select e.id, e.failures >= in_breaker_failures as probed, e.rate,
            coalesce(u.running, 0) as running
          from waiting w
          join ${schema}.webhook_endpoints e on e.id = w.endpoint_id
          left join json_to_recordset(in_under_way) as u (id uuid, running integer) on u.id = e.id
          where coalesce(u.running, 0) < 1073741824
            and e.status = 'enabled' and (e.blocked_until is null or e.blocked_until <= now())
            and (e.rate_free_at is null or e.rate_free_at <= now())
            and (in_able or e.headers is null and e.tls is null)
      ), gated as materialized (
        select e.id from ${schema}.webhook_endpoints e
          where e.id = any(array(
              select k.id from known k
                where (k.probed or k.rate is not null) and exists (
                  select from ${schema}.webhook_deliveries d
                    where d.endpoint_id = k.id and d.state = 'pending' and d.due_at <= now()
                      and (d.leased_until is null or d.leased_until <= now())
                      and ${IS_MEANT})
                order by random()
                limit in_limit
            ))
            and (e.blocked_until is null or e.blocked_until <= now())
            and (e.rate_free_at is null or e.rate_free_at <= now())
          for no key update of e skip locked
      ), ready as materialized (
        select k.id, k.probed, k.rate,
            least(
              case when k.probed then 1 else in_per_endpoint - k.running end,
              case when k.rate is not null then greatest(1, floor(k.rate / 10)) end::integer
            ) as room
          from known k
          left join gated g on g.id = k.id
          where g.id is not null or not (k.probed or k.rate is not null)
          order by random()
      ), found as materialized (
        select due.id, due.unfinished >= in_most_unfinished as poison, r.id as endpoint_id, r.probed,
            r.rate, due.message_id,
            due.unfinished >= in_suspect_from and due.unfinished < in_most_unfinished as suspect
          from ready r cross join lateral (
            select d.id, d.unfinished, d.message_id from ${schema}.webhook_deliveries d
              where d.endpoint_id = r.id and d.state = 'pending' and d.due_at <= now()
                and (d.leased_until is null or d.leased_until <= now())
                and ${IS_MEANT}
              order by d.due_at, d.id
              limit greatest(r.room, 0)
              for update of d skip locked
          ) due
          limit in_limit
      ), placed as (
        select f.*, row_number() over (partition by f.suspect) as place from found f
      ), weighed as (
        select p.*, row_number() over suspect_first as nth,
            sum(coalesce(octet_length(m.body), 0)) over suspect_first as bytes
          from placed p left join ${schema}.webhook_messages m on m.id = p.message_id
          where not p.suspect or p.place = 1
          window suspect_first as (order by p.suspect desc, p.place rows unbounded preceding)
      ), picked as materialized (
        select w.* from weighed w where w.nth = 1 or w.bytes <= in_most_bytes
      ), poisoned as (
        update ${schema}.webhook_deliveries d
          set state = 'dead', reason = 'poison', error = 'poison', leased_until = null,
            ended_at = now(), died_at = now()
          from picked p where p.poison and d.id = p.id
      ), paced as (
        update ${schema}.webhook_endpoints e
          set probe_id = coalesce(p.probe_id, e.probe_id),
            blocked_until = case when p.probe_id is null then e.blocked_until
              else now() + in_lease_ms * interval '1 millisecond' end,
            rate_free_at = case when p.rate is null then e.rate_free_at
              else now() + p.taken * interval '1 second' / (
                p.rate - case when p.rate < 20 then 0 else floor(p.rate / 10) end) end
          from (
            select endpoint_id, rate, count(*) as taken, max(id) filter (where probed) as probe_id
              from picked where not poison and (probed or rate is not null)
              group by endpoint_id, rate
          ) p
          where e.id = p.endpoint_id
      ), claimed as (
        update ${schema}.webhook_deliveries d
          set epoch = d.epoch + 1, unfinished = d.unfinished + 1,
            claimed_by = in_worker || ' ' || (d.epoch + 1),
            leased_until = now() + in_lease_ms * interval '1 millisecond'
          from picked p where not p.poison and d.id = p.id
          returning d.id, d.epoch, d.message_id, d.endpoint_id, d.attempts, d.unfinished, d.tries,
            p.suspect
      )
      select json_build_object('id', c.id::text, 'epoch', c.epoch,
          'number', c.attempts + c.unfinished, 'tries', c.tries, 'suspect', c.suspect,
          'endpointId', c.endpoint_id, 'url', e.url, 'messageId', c.message_id,
          'body', encode(m.body, 'base64'),
          'headers', e.headers, 'tls', e.tls,
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

const IS_MEANT = `(in_takes_suspect or d.unfinished < in_suspect_from
                  or d.unfinished >= in_most_unfinished)`
