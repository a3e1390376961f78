import type { Statement } from '@oncekey/postgres/client'
import { type EndpointRow, endpointJson } from './endpoint-row.ts'

export function findEndpoint(schema: string, id: string): Statement<EndpointRow> {
  return {
    name: 'find_endpoint',
    text: `select ${endpointJson('e')} from ${schema}.webhook_endpoints e where e.id = $1::uuid`,
    values: [id],
  }
}
