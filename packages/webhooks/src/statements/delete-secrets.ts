import type { Statement } from '@oncekey/postgres/client'

export function deleteSecrets(schema: string, endpointId: string): Statement {
  return {
    name: 'delete_secrets',
    text: `delete from ${schema}.webhook_secrets where endpoint_id = $1::uuid`,
    values: [endpointId],
  }
}
