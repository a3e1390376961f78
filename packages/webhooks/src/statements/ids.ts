/**
 * Whether a text can be the id of a delivery. Ids come from outside, and PostgreSQL would fail to
 * read any other text as a number; with this check it simply finds nothing.
 */
export function isDeliveryId(id: string): boolean {
  return /^[1-9]\d{0,17}$/.test(id)
}

export function isUuid(id: string): boolean {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)
}
