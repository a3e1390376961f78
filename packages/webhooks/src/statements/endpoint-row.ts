/** An endpoint as statements return it, in JSON; `alias` is what the table is called in one. */
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
