import { Elysia } from 'elysia'
import { books, placeOrder } from './place-order.ts'

export const app = new Elysia()
  // `parse: 'none'` leaves the body to the handler.
  .post('/orders', ({ request }) => placeOrder(request), { parse: 'none' })
  .get('/books', () => books() as Promise<object>)

export const fetchApp = (request: Request): Promise<Response> => app.handle(request)
