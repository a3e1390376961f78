export * from './claims.ts'
export * from './troubled-shop.ts'
