import { freshDatabase } from '@oncekey/test-servers'
import { beforeAll, describe, inject } from 'vitest'
import { placesOrders } from './orders.ts'

describe('Drizzle on a server', () => {
  beforeAll(async () => {
    process.env.DATABASE_URL = (await freshDatabase(inject('postgresUrl'))).url
  })
  placesOrders()
})
