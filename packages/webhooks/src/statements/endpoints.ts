import { auditCall, type Statement } from '@oncekey/postgres/client'
import { type EndpointAct, endpointTarget } from './endpoint-act.ts'
import type { StoredSecret } from './secrets.ts'

/** Builds the JSON of an endpoint; `alias` is the name of the table in the statement. */
export function endpointJson(alias: string): string {
  return `json_build_object('id', ${alias}.id, 'customer', ${alias}.customer, 'url', ${alias}.url,
    'types', ${alias}.types, 'description', ${alias}.description, 'status', ${alias}.status,
    'reason', ${alias}.reason, 'createdAt', ${alias}.created_at, 'changedAt', ${alias}.changed_at,
    'failingSince', ${alias}.failing_since,
    'headers', coalesce(${alias}.headers->'names', '[]'::json), 'tls', ${alias}.tls is not null,
    'rate', ${alias}.rate)::text as endpoint`
}

export interface EndpointRow {
  /** {@link EndpointJson}. */
  readonly endpoint: string
}

export interface EndpointJson {
  readonly id: string
  readonly customer: string | null
  readonly url: string
  readonly types: readonly string[]
  readonly description: string
  readonly headers: readonly string[]
  readonly tls: boolean
  readonly rate: number | null
  readonly status: 'enabled' | 'paused' | 'disabled' | 'deleted'
  readonly reason: string | null
  readonly createdAt: string
  readonly changedAt: string
  readonly failingSince: string | null
}

/**
 * Inserts an endpoint with its first secret. Returns no row, and inserts nothing, if its customer
 * has `limit.most` endpoints already; of one without a customer there may be any number.
 */
export function insertEndpoint(
  schema: string,
  endpoint: {
    readonly id: string
    readonly customer: string | null
    readonly url: string
    readonly types: readonly string[]
    readonly description: string
    readonly secret: StoredSecret
    readonly ways: StoredWays
  },
  limit: {
    readonly most: number
    /** The number of the advisory lock for registrations of the customer. */
    readonly lock: string
  },
  by: EndpointAct,
): Statement<EndpointRow> {
  const { id, customer, url, types, description, secret, ways } = endpoint
  const audit = auditCall(schema, {
    actor: '$11',
    note: '$12',
    act: 'endpoints.register',
    target: '$13::text',
    detail: `jsonb_strip_nulls(jsonb_build_object('url', e.url, 'types', e.types,
          'customer', e.customer))`,
  })
  return {
    name: 'insert_endpoint',
    text: `
      with room as materialized (
        select case when $2::text is null then true
          else ${schema}.webhook_has_room($2::text, $14::integer, $15::bigint) end as is_left
      ), e as (
        insert into ${schema}.webhook_endpoints (id, customer, url, types, description, headers, tls,
            rate)
          select $1::uuid, $2::text, $3::text,
              array(select json_array_elements_text($4::json)), $5::text,
              $8::json, $9::json, $10::double precision
            from room r where r.is_left
          returning *
      ), s as (
        insert into ${schema}.webhook_secrets (endpoint_id, secret, seal)
          select e.id, $6::text, $7::text from e
          returning id
      )
      select ${endpointJson('e')}, ${audit}::text as operation
        from room r left join e on true
        where case when r.is_left then ${schema}.webhook_written(
          case when e.id is null then 'webhook_endpoints' else 'webhook_secrets' end,
          exists (select from s)) end`,
    values: [
      id,
      customer,
      url,
      JSON.stringify(types),
      description,
      secret.secret,
      secret.seal,
      ways.headers ? JSON.stringify(ways.headers) : null,
      ways.tls ? JSON.stringify(ways.tls) : null,
      ways.rate ?? null,
      by.actor,
      by.note,
      endpointTarget(id),
      limit.most,
      limit.lock,
    ],
  }
}

export function findEndpoint(schema: string, id: string): Statement<EndpointRow> {
  return {
    name: 'find_endpoint',
    text: `select ${endpointJson('e')} from ${schema}.webhook_endpoints e where e.id = $1::uuid`,
    values: [id],
    cancellable: true,
  }
}

/** Reads an endpoint's own headers and certificates, as they are stored. */
export function findWays(schema: string, endpointId: string): Statement<{ ways: string }> {
  return {
    name: 'find_ways',
    text: `
      select json_build_object('headers', headers, 'tls', tls)::text as ways
        from ${schema}.webhook_endpoints where id = $1::uuid`,
    values: [endpointId],
    cancellable: true,
  }
}

/** The JSON in `ways`. */
export interface WaysJson {
  readonly headers: StoredSecret | null
  readonly tls: StoredSecret | null
}

/** Lists endpoints that are not deleted, the oldest first: ids are in order of time. */
export function listEndpoints(
  schema: string,
  filter: {
    readonly customer: string | null
    readonly status: string | null
    /** Every pattern that covers an event type: `order.created`, `order.*`, `*`. */
    readonly patterns: readonly string[] | null
    readonly after: string | null
    readonly limit: number
  },
): Statement<EndpointRow> {
  const { customer, status, patterns, after, limit } = filter
  return {
    name: 'list_endpoints',
    text: `
      select ${endpointJson('e')} from ${schema}.webhook_endpoints e
        where e.status <> 'deleted'
          and ($1::text is null or e.customer = $1::text)
          and ($2::text is null or e.status = $2::text)
          and ($3::json is null or e.types && array(select json_array_elements_text($3::json)))
          and ($4::uuid is null or e.id > $4::uuid)
        order by e.id
        limit $5::integer`,
    values: [customer, status, patterns && JSON.stringify(patterns), after, limit],
    cancellable: true,
  }
}

/** Changes the given fields of an endpoint. A new URL also clears the failures of the old one. */
export function changeEndpoint(
  schema: string,
  id: string,
  changes: {
    readonly url: string | null
    readonly types: readonly string[] | null
    readonly description: string | null
    readonly ways: StoredWays
  },
  by: EndpointAct,
): Statement<EndpointRow> {
  const { url, types, description, ways } = changes
  const audit = auditCall(schema, {
    actor: '$11',
    note: '$12',
    act: 'endpoints.update',
    target: '$13::text',
    detail: `jsonb_strip_nulls(jsonb_build_object('before', ${CHANGEABLE('was')},
          'after', ${CHANGEABLE('e')}))`,
  })
  return {
    name: 'change_endpoint',
    text: `
      with was as materialized (
        select o.* from ${schema}.webhook_endpoints o
          where o.id = $1::uuid and o.status <> 'deleted' for no key update
      ), e as (
        update ${schema}.webhook_endpoints e
        set url = coalesce($2::text, e.url),
          types = case when $3::json is null then e.types
            else array(select json_array_elements_text($3::json)) end,
          description = coalesce($4::text, e.description),
          headers = case when $5::boolean then $6::json else e.headers end,
          tls = case when $7::boolean then $8::json else e.tls end,
          rate = case when $9::boolean then $10::double precision else e.rate end,
          rate_free_at = case when $9::boolean then null else e.rate_free_at end,
          failures = case when $2::text <> e.url then 0 else e.failures end,
          failing_since = case when $2::text <> e.url then null else e.failing_since end,
          failed_attempts = case when $2::text <> e.url then 0 else e.failed_attempts end,
          failed_events = case when $2::text <> e.url then 0 else e.failed_events end,
          warned = case when $2::text <> e.url then 0 else e.warned end,
          blocked_until = case when $2::text <> e.url then null else e.blocked_until end,
          changed_at = now()
        from was where e.id = was.id
        returning e.*
      )
      select ${endpointJson('e')}, ${audit}::text as operation
        from was left join e on e.id = was.id
        where ${schema}.webhook_written('webhook_endpoints', e.id is not null)`,
    values: [
      id,
      url,
      types && JSON.stringify(types),
      description,
      String(ways.headers !== undefined),
      ways.headers ? JSON.stringify(ways.headers) : null,
      String(ways.tls !== undefined),
      ways.tls ? JSON.stringify(ways.tls) : null,
      String(ways.rate !== undefined),
      ways.rate ?? null,
      by.actor,
      by.note,
      endpointTarget(id),
    ],
  }
}

/**
 * What `update` may change, for the audit entry. Headers and certificates are secret, so the entry
 * says only that they changed.
 */
const CHANGEABLE = (alias: string) =>
  `jsonb_build_object('url', ${alias}.url, 'types', ${alias}.types,
            'description', ${alias}.description, 'headers', ${alias}.headers->'names',
            'tls', ${alias}.tls is not null, 'rate', ${alias}.rate)`

/**
 * Pauses, disables, enables or deletes an endpoint. A deleted endpoint cannot be enabled again, and
 * its headers and certificates are removed. An enabled one starts without failures, cooldown or
 * other waits.
 */
export function setEndpointStatus(
  schema: string,
  id: string,
  status: 'enabled' | 'paused' | 'disabled' | 'deleted',
  reason: string | null,
  act: EndpointAct & { readonly name: string },
): Statement<EndpointRow> {
  const audit = auditCall(schema, {
    actor: '$4',
    note: '$5',
    act: '$6::text',
    target: '$7::text',
    detail: `jsonb_build_object('was', was.status)`,
  })
  return {
    name: 'set_endpoint_status',
    text: `
      with was as materialized (
        select o.id, o.status from ${schema}.webhook_endpoints o
          where o.id = $1::uuid and o.status <> 'deleted' for no key update
      ), e as (
        update ${schema}.webhook_endpoints e
        set status = $2::text, reason = $3::text, changed_at = now(),
          headers = case when $2::text = 'deleted' then null else e.headers end,
          tls = case when $2::text = 'deleted' then null else e.tls end,
          failing_since = case when $2::text = 'enabled' then null else e.failing_since end,
          warned = case when $2::text = 'enabled' then 0 else e.warned end,
          failures = case when $2::text = 'enabled' then 0 else e.failures end,
          failed_attempts = case when $2::text = 'enabled' then 0 else e.failed_attempts end,
          failed_events = case when $2::text = 'enabled' then 0 else e.failed_events end,
          blocked_until = case when $2::text = 'enabled' then null else e.blocked_until end
        from was where e.id = was.id
        returning e.*
      )
      select ${endpointJson('e')}, ${audit}::text as operation
        from was left join e on e.id = was.id
        where ${schema}.webhook_written('webhook_endpoints', e.id is not null)`,
    values: [id, status, reason, act.actor, act.note ?? reason, act.name, endpointTarget(id)],
  }
}

/**
 * Headers, certificates and rate as they are stored. `undefined` leaves a value unchanged, `null`
 * removes it.
 */
export interface StoredWays {
  readonly headers: (StoredSecret & { readonly names: readonly string[] }) | null | undefined
  readonly tls: StoredSecret | null | undefined
  readonly rate: number | null | undefined
}
