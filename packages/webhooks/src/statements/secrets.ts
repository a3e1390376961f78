import { auditCall, type Statement } from '@oncekey/postgres/client'
import { DATABASE_MS } from './database-ms.ts'
import { type EndpointAct, endpointTarget } from './endpoint-act.ts'

/** Lists the secrets in force, the newest first. */
export function listSecrets(schema: string, endpointId: string): Statement<{ secret: string }> {
  return {
    name: 'list_secrets',
    text: `
      select json_build_object('secret', secret, 'seal', seal, 'createdAt', created_at,
          'expiresAt', expires_at, 'nowMs', ${DATABASE_MS})::text as secret
        from ${schema}.webhook_secrets
        where endpoint_id = $1::uuid and (expires_at is null or expires_at > now())
        order by id desc`,
    values: [endpointId],
    cancellable: true,
  }
}

/** The JSON in `secret`. */
export interface SecretJson {
  readonly secret: string
  readonly seal: string | null
  readonly createdAt: string
  readonly expiresAt: string | null
  /** The time by the database's clock. Milliseconds since 1970. */
  readonly nowMs: number
}

/** When secrets were read, by the database's clock. */
export function readAt(secrets: readonly SecretJson[]): Date {
  return new Date(secrets[0]?.nowMs ?? 0)
}

/**
 * Adds a secret to an endpoint, by `schema/functions/rotate-webhook-secret-2.ts`. Returns no row if
 * there is no such endpoint.
 */
export function rotateSecret(
  schema: string,
  endpointId: string,
  secret: StoredSecret,
  { overlapMs, most }: { readonly overlapMs: number; readonly most: number },
  by: EndpointAct,
): Statement<{ id: string }> {
  const audit = auditCall(schema, {
    actor: '$6',
    note: '$7',
    act: 'endpoints.rotate-secret',
    target: '$8::text',
    detail: `jsonb_build_object('overlapMs', $4::bigint)`,
  })
  return {
    name: 'rotate_secret',
    text: `
      select id::text, ${audit}::text as operation
        from ${schema}.rotate_webhook_secret_2($1::uuid, $2::text, $3::text, $4::bigint,
        $5::integer) as id`,
    values: [
      endpointId,
      secret.secret,
      secret.seal,
      overlapMs,
      most,
      by.actor,
      by.note,
      endpointTarget(endpointId),
    ],
  }
}

export function deleteSecrets(schema: string, endpointId: string): Statement {
  return {
    name: 'delete_secrets',
    text: `
      with gone as (
        delete from ${schema}.webhook_secrets where endpoint_id = $1::uuid returning 1
      )
      select ${schema}.webhook_written('webhook_secrets', (select count(*) from gone) = (
        select count(*) from ${schema}.webhook_secrets where endpoint_id = $1::uuid))`,
    values: [endpointId],
  }
}

/** A secret as it is stored; `seal` names the key it is sealed with, null if it is not sealed. */
export interface StoredSecret {
  readonly secret: string
  readonly seal: string | null
}
