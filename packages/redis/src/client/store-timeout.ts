export function storeTimeout(ms: number): Error {
  return new Error(`no answer within ${ms} ms`)
}
