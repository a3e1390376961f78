import { defineHandler } from 'nitro'
import { placeOrder } from '../place-order.ts'

export default defineHandler((event) => placeOrder(event.req))
