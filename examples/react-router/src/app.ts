import { type ActionFunctionArgs, createStaticHandler } from 'react-router'
import { books, placeOrder } from './place-order.ts'

// A resource route, as in `app/routes/orders.ts` of a framework project:
// `export const action = ({ request }: Route.ActionArgs) => placeOrder(request)`.
const { queryRoute } = createStaticHandler([
  { path: '/orders', action: ({ request }: ActionFunctionArgs) => placeOrder(request) },
  { path: '/books', loader: async () => Response.json(await books()) },
])

export const fetchApp = (request: Request): Promise<Response> => queryRoute(request)
