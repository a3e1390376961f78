/**
 * `settle_webhooks_4` records how attempts ended, as `settle_webhooks_3` does. For attempts that
 * were not accepted, `in_sent` says how they were sent. If the endpoint has been given another URL,
 * other headers or other certificates since, the answer is about a request that would no longer be
 * sent. It is stored in the history but counts as no failure, and the delivery is due at once.
 *
 * The endpoint is read without a lock, so a change that is committed at the same instant counts as
 * one that came after the answer.
 */
export function settleWhatWasSent(schema: string): string {
  return `create function ${schema}.settle_webhooks_4(in_outcomes json, in_sent json,
      in_breaker_failures integer, in_cooldown_ms bigint, in_max_cooldown_ms bigint,
      in_disable_after_ms bigint, in_disable_after_attempts integer, in_disable_after_events integer)
    returns setof text language plpgsql volatile set enable_seqscan = off as $$
    declare
      changed bigint[];
    begin
      if in_sent is not null then
        select array_agg(s.id) into changed
          from json_to_recordset(in_sent) as s
            (id bigint, "endpointId" uuid, url text, headers text, tls text)
          join ${schema}.webhook_endpoints e on e.id = s."endpointId"
          where e.url <> s.url or e.headers->>'secret' is distinct from s.headers
            or e.tls->>'secret' is distinct from s.tls;
      end if;
      if changed is not null then
        in_outcomes := (
          select json_agg(case when (o.outcome->>'id')::bigint = any(changed)
                then (o.outcome::jsonb || '{"state": "retry", "reason": null, "gone": false,
                  "delayMs": 0, "blockMs": 0, "blame": "ours"}')::json
                else o.outcome end order by o.position)
            from json_array_elements(in_outcomes) with ordinality as o (outcome, position));
      end if;
      return query select ${schema}.settle_webhooks_3(in_outcomes, in_breaker_failures,
        in_cooldown_ms, in_max_cooldown_ms, in_disable_after_ms, in_disable_after_attempts,
        in_disable_after_events);
    end $$`
}
