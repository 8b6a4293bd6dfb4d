// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camera_uri.h"

#include <gtest/gtest.h>

namespace soak {
namespace {

TEST(CameraUriTest, goes_through_the_proxy_with_everything_but_the_host) {
  const auto uri = read_camera_uri("rtsp://me:a@b@cam.example:8554/live/1?x=y");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->host, "cam.example");
  EXPECT_EQ(uri->port, 8554);
  EXPECT_EQ(uri->through(1234), "rtsp://me:a@b@127.0.0.1:1234/live/1?x=y");
}

TEST(CameraUriTest, has_the_port_of_rtsp_by_default) {
  const auto uri = read_camera_uri("rtsp://cam");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->port, 554);
  EXPECT_EQ(uri->through(9), "rtsp://127.0.0.1:9");
}

TEST(CameraUriTest, address_of_ipv6_is_within_brackets) {
  const auto uri = read_camera_uri("rtsp://[::1]:99/a");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri->host, "::1");
  EXPECT_EQ(uri->port, 99);
  EXPECT_EQ(read_camera_uri("rtsp://[::1]/a")->port, 554);
}

TEST(CameraUriTest, others_do_not_go_through_a_proxy) {
  for (const char* uri :
       {"rtsps://cam/a", "file:///a.mp4", "rtsp://", "rtsp:///a", "rtsp://cam:port/a"}) {
    EXPECT_FALSE(read_camera_uri(uri)) << uri;
  }
}

}  // namespace
}  // namespace soak
