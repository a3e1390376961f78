// The alias has no types; for these tests its API equals that of Express 5.
declare module 'express4' {
  import express from 'express'
  export default express
}
