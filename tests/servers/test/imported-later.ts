interface Rejection {
  readonly why: string
}

export class OrderRejected extends Error {}
export const order: string[] = ['later']

export function rejected({ why }: Rejection = { why: 'not today' }): never {
  throw new OrderRejected(why)
}
