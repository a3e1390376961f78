import type { Statement } from '@oncekey/postgres/client'

/** Those in force, the newest first. */
export function listSecrets(schema: string, endpointId: string): Statement<{ secret: string }> {
  return {
    name: 'list_secrets',
    text: `
      select json_build_object('secret', secret, 'seal', seal, 'createdAt', created_at,
          'expiresAt', expires_at)::text as secret
        from ${schema}.webhook_secrets
        where endpoint_id = $1::uuid and (expires_at is null or expires_at > now())
        order by id desc`,
    values: [endpointId],
  }
}

/** What `secret` is, in JSON. */
export interface SecretJson {
  readonly secret: string
  readonly seal: string | null
  readonly createdAt: string
  readonly expiresAt: string | null
}
