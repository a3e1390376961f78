import type { PackageMigrations } from '@oncekey/postgres/client'
import { endpointsAndDeliveries } from './0001-endpoints-and-deliveries.ts'
import { failuresOfEndpoints } from './0002-failures-of-endpoints.ts'
import { waysOfEndpoints } from './0003-ways-of-endpoints.ts'

export const webhookMigrations: PackageMigrations = {
  package: 'webhooks',
  migrations: [endpointsAndDeliveries, failuresOfEndpoints, waysOfEndpoints],
}
