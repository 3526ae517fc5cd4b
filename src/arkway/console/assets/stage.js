// Tells the server whether somebody looks: a hidden page is sent nothing.
export default {
  emits: ["seen"],
  mounted() {
    this.tell = () => this.$emit("seen", !document.hidden);
    document.addEventListener("visibilitychange", this.tell);
    if (document.hidden) this.tell();
  },
  beforeUnmount() {
    document.removeEventListener("visibilitychange", this.tell);
  },
  template: "<span hidden></span>",
};
