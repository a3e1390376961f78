import { H3 } from 'h3'
import { books, placeOrder } from './place-order.ts'

export const app = new H3()
  .post('/orders', (event) => placeOrder(event.req))
  .get('/books', () => books())

export const fetchApp = async (request: Request): Promise<Response> => app.fetch(request)
