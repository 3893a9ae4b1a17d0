/** Placeholder until the steps are written. */
console.log("check");
