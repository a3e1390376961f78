import { freshDatabase } from '@oncekey/test-servers'
import { beforeEach, describe, inject } from 'vitest'
import { placesOrders } from './orders.ts'

describe('on a server', () => {
  beforeEach(async () => {
    process.env.DATABASE_URL = (await freshDatabase(inject('postgresUrl'))).url
  })
  placesOrders('express')
  placesOrders('fastify')
})
