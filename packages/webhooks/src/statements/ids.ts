/**
 * Ids come from outside. A text that cannot be an id finds nothing, where PostgreSQL would fail to
 * read it as a number.
 */
export function isDeliveryId(id: string): boolean {
  return /^[1-9]\d{0,17}$/.test(id)
}

export function isUuid(id: string): boolean {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)
}
