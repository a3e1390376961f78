// The same API, as far as these tests use it; @types/koa 2 would clash with those of 3.
declare module 'koa2' {
  export { default } from 'koa'
}
