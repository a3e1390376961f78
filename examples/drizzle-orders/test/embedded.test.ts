import { describe } from 'vitest'
import { placesOrders } from './orders.ts'

describe('Drizzle on PGlite', placesOrders)
