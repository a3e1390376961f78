import { describe } from 'vitest'
import { placesOrders } from './orders.ts'

describe('on PGlite', () => placesOrders('express'))
